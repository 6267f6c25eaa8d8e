package sink_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
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
		enabled           bool
		endpoint          *string
		kinesis, firehose string
	}{
		{false, nil, "kinesis.eu-west-1.amazonaws.com", "firehose.eu-west-1.amazonaws.com"},
		{true, nil, "kinesis.eu-west-1.api.aws", "firehose.eu-west-1.api.aws"},
		{true, aws.String("https://localhost:4566"), "localhost:4566", "localhost:4566"},
	} {
		var request called
		id := credentials.NewStaticCredentialsProvider("id", "secret", "")
		streams := kinesis.New(kinesis.Options{
			Region: "eu-west-1", Credentials: id, HTTPClient: &request, Retryer: aws.NopRetryer{}, BaseEndpoint: tt.endpoint,
		}, sink.DualStack(tt.enabled))
		_, _ = streams.ListStreams(t.Context(), &kinesis.ListStreamsInput{})
		if request.host != tt.kinesis {
			t.Errorf("dual-stack %v with endpoint %v calls %s, want %s", tt.enabled, aws.ToString(tt.endpoint), request.host, tt.kinesis)
		}
		hoses := firehose.New(firehose.Options{
			Region: "eu-west-1", Credentials: id, HTTPClient: &request, Retryer: aws.NopRetryer{}, BaseEndpoint: tt.endpoint,
		}, sink.DualStackFirehose(tt.enabled))
		_, _ = hoses.ListDeliveryStreams(t.Context(), &firehose.ListDeliveryStreamsInput{})
		if request.host != tt.firehose {
			t.Errorf("dual-stack %v with endpoint %v calls %s, want %s", tt.enabled, aws.ToString(tt.endpoint), request.host, tt.firehose)
		}
	}
}
