package function_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/data-sink/data-sink/internal/pipeline/function"
)

// host records the host of the last request.
type host struct{ name string }

func (h *host) Do(r *http.Request) (*http.Response, error) {
	h.name = r.URL.Host
	return &http.Response{StatusCode: http.StatusBadRequest, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
}

func TestKinesisIsCalledWithoutTheAccountIDInItsHostName(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_ACCOUNT_ID": "123456789012",
		"AWS_CONFIG_FILE": "absent", "AWS_SHARED_CREDENTIALS_FILE": "absent",
	} {
		t.Setenv(name, value)
	}
	var client host
	cfg, err := new(function.Process).AWS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kinesisClient := kinesis.NewFromConfig(cfg, func(o *kinesis.Options) { o.HTTPClient = &client })
	_, _ = kinesisClient.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("datasink.orders"), PartitionKey: aws.String("k"), Data: []byte("d")})
	if want := "kinesis.eu-central-1.amazonaws.com"; client.name != want {
		t.Errorf("host %q, want %q", client.name, want)
	}
}
