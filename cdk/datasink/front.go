package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// newFront declares what clients call: the HTTP API or the function URL. It returns the
// URL without a slash at its end, and the ID of the API or nil.
func newFront(stack awscdk.Stack, s settings.Settings, ingest awslambda.Function) (url, apiID *string) {
	if s.Front == settings.FrontURL {
		return newFunctionURL(stack, s, ingest), nil
	}
	return newAPI(stack, s, ingest)
}

// What a web page may send and read. Credentials mode is never allowed, so a page sets
// the Authorization header itself.
// https://developer.mozilla.org/en-US/docs/Web/HTTP/CORS
var (
	corsMethods = []string{"POST"}
	corsAllow   = []string{"authorization", "content-type", "content-encoding", "idempotency-key"}
	corsExpose  = []string{"retry-after", "idempotency-replayed", "apigw-requestid"}
)

// corsSeconds is the time for which a browser may cache the answer to a preflight.
const corsSeconds = 7200
