package cloudtest_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/awstest"
	"github.com/data-sink/data-sink/internal/rig/cloudtest"
	"github.com/data-sink/data-sink/internal/rig/readmetest"
)

// start starts a local AWS with the resources of the suite.
func start(t *testing.T) *awstest.Server {
	t.Helper()
	streams, err := stream.Parse([]byte(`{"streams":[{"name":"orders","shards":2},{"name":"others"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return awstest.StartForTest(t, awstest.Options{
		Dir: t.TempDir(), Buckets: []string{"archive"}, Queues: []string{"/wake"}, Secrets: map[string]string{"clients": "open sesame"},
		Deployment: "datasink", Streams: streams,
	})
}

var resources = cloudtest.Resources{Stream: "datasink.orders", DeliveryStream: "datasink.orders", Secret: "clients", SecretValue: "open sesame"}

func TestInProcess(t *testing.T) {
	t.Parallel()
	s := start(t)
	cloudtest.Run(t, &cloudtest.InProcess{Kinesis: s.Kinesis, Firehose: s.Firehose, Bucket: s.Buckets["archive"], Queue: s.Queues["/wake"], Secrets: s.Secrets}, resources)
}

func TestByWire(t *testing.T) {
	t.Parallel()
	s := start(t)
	config := aws.Config{Region: "us-east-1", BaseEndpoint: &s.URL, Credentials: credentials.NewStaticCredentialsProvider("any", "any", "")}
	cloudtest.Run(t, cloudtest.NewByWire(config, "archive", s.URL+"/wake"), resources)
}

var update = flag.Bool("update", false, "rewrite the table of README.md")

// TestREADME writes the table of the suite.
func TestREADME(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	table.WriteString("| operation | in process | by wire | third-party emulator |\n|---|---|---|---|\n")
	for _, c := range cloudtest.Cases {
		emulator := "agrees"
		if slices.Contains(cloudtest.EmulatorDiffers, c.Name) {
			emulator = "differs"
		}
		fmt.Fprintf(&table, "| %s | passes | passes | %s |\n", c.Name, emulator)
	}
	readmetest.Section(t, "README.md", "conformance", table.String(), *update)
}
