package wake_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/data-sink/data-sink/internal/pipeline/wake"
	"github.com/data-sink/data-sink/internal/rig/apitest"
)

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
		var host apitest.Host
		client := sqs.New(sqs.Options{
			Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""), HTTPClient: &host, Retryer: aws.NopRetryer{}, BaseEndpoint: tt.endpoint,
		}, wake.DualStack(tt.enabled))
		_ = wake.New(client, "https://sqs.eu-west-1.amazonaws.com/123456789012/datasink-wake").Wake(t.Context(), "orders", 0)
		if string(host) != tt.want {
			t.Errorf("dual-stack %v with endpoint %v calls %s, want %s", tt.enabled, aws.ToString(tt.endpoint), host, tt.want)
		}
	}
}
