package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// front is what clients call: the HTTP API or the function URL.
type front struct {
	// url has no slash at the end.
	url *string
	// apiID is the ID of the HTTP API; nil for a function URL.
	apiID *string
}

// newFront declares the front of ingest.
func newFront(stack awscdk.Stack, s settings.Settings, ingest awslambda.Function) front {
	if s.Front == settings.FrontURL {
		return front{url: newFunctionURL(stack, s, ingest)}
	}
	id, url := newAPI(stack, s, ingest)
	return front{url: url, apiID: id}
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
