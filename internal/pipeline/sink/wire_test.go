package sink_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// wire is an endpoint on loopback with the protocol JSON 1.1.
type wire struct {
	status int
	header map[string]string
	body   string
	hang   bool // never answers

	requests int
	target   string
	got      map[string]any
}

func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.requests++
	w.target = r.Header.Get("X-Amz-Target")
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &w.got)
	}
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	if w.hang {
		<-r.Context().Done()
		return
	}
	rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
	rw.Header().Set("X-Amzn-Requestid", "c0ffee-1")
	for name, value := range w.header {
		rw.Header().Set(name, value)
	}
	if w.status != 0 {
		rw.WriteHeader(w.status)
	}
	_, _ = io.WriteString(rw, w.body)
}

// config returns the configuration of a client whose endpoint is w. The SDK's
// retries are enabled, because the adapters must disable them.
func (w *wire) config(t *testing.T) aws.Config {
	t.Helper()
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	return aws.Config{
		Region:       "eu-central-1",
		BaseEndpoint: aws.String(server.URL),
		HTTPClient:   awshttp.NewBuildableClient().WithTimeout(10 * time.Second),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		}),
	}
}

// adapter is one of the two adapters, with the differences of their protocols.
type adapter struct {
	name    string
	service func(aws.Config) sink.Service
	target  string
	results string // an answer around per-record results
}

var (
	kinesisAdapter = adapter{
		name:    "kinesis",
		service: func(cfg aws.Config) sink.Service { return sink.NewKinesis(kinesis.NewFromConfig(cfg)) },
		target:  "Kinesis_20131202.PutRecords",
		results: `{"FailedRecordCount":0,"Records":[%s]}`,
	}
	firehoseAdapter = adapter{
		name:    "firehose",
		service: func(cfg aws.Config) sink.Service { return sink.NewFirehose(firehose.NewFromConfig(cfg)) },
		target:  "Firehose_20150804.PutRecordBatch",
		results: `{"FailedPutCount":0,"RequestResponses":[%s]}`,
	}
	adapters = []adapter{kinesisAdapter, firehoseAdapter}
)
