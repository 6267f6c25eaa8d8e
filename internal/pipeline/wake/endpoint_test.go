package wake_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/data-sink/data-sink/internal/pipeline/wake"
)

// called records the host of a request and fails it.
type called struct{ host string }

func (c *called) Do(r *http.Request) (*http.Response, error) {
	c.host = r.URL.Host
	return nil, context.Canceled
}

func TestDualStackEndpoint(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		enabled  bool
		endpoint *string
		want     string
	}{
		{false, nil, "sqs.eu-west-1.amazonaws.com"},
		{true, nil, "sqs.eu-west-1.api.aws"},
		{true, aws.String("https://localhost:4566"), "localhost:4566"},
	} {
		var request called
		client := sqs.New(sqs.Options{
			Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""), HTTPClient: &request, Retryer: aws.NopRetryer{}, BaseEndpoint: tt.endpoint,
		}, wake.DualStack(tt.enabled))
		_ = wake.New(client, "https://sqs.eu-west-1.amazonaws.com/123456789012/datasink-wake").Wake(t.Context(), "orders", 0)
		if request.host != tt.want {
			t.Errorf("dual-stack %v with endpoint %v calls %s, want %s", tt.enabled, aws.ToString(tt.endpoint), request.host, tt.want)
		}
	}
}
