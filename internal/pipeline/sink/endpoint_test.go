package sink_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/rig/apitest"
)

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
		var host apitest.Host
		id := credentials.NewStaticCredentialsProvider("id", "secret", "")
		streams := kinesis.New(kinesis.Options{
			Region: "eu-west-1", Credentials: id, HTTPClient: &host, Retryer: aws.NopRetryer{}, BaseEndpoint: tt.endpoint,
		}, sink.DualStack(tt.enabled))
		_, _ = streams.ListStreams(t.Context(), &kinesis.ListStreamsInput{})
		if string(host) != tt.kinesis {
			t.Errorf("dual-stack %v with endpoint %v calls %s, want %s", tt.enabled, aws.ToString(tt.endpoint), host, tt.kinesis)
		}
		hoses := firehose.New(firehose.Options{
			Region: "eu-west-1", Credentials: id, HTTPClient: &host, Retryer: aws.NopRetryer{}, BaseEndpoint: tt.endpoint,
		}, sink.DualStackFirehose(tt.enabled))
		_, _ = hoses.ListDeliveryStreams(t.Context(), &firehose.ListDeliveryStreamsInput{})
		if string(host) != tt.firehose {
			t.Errorf("dual-stack %v with endpoint %v calls %s, want %s", tt.enabled, aws.ToString(tt.endpoint), host, tt.firehose)
		}
	}
}
