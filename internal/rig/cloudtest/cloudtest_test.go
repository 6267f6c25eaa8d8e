package cloudtest_test

import (
	"flag"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/local/wire"
	"github.com/data-sink/data-sink/internal/rig/cloudtest"
	"github.com/data-sink/data-sink/internal/rig/readmetest"
)

var resources = cloudtest.Resources{Stream: "datasink.orders", DeliveryStream: "datasink.orders", Secret: "clients", SecretValue: "open sesame"}

// open returns services with the resources.
func open(t *testing.T) *cloudtest.InProcess {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	folder := func(name string) *os.Root {
		if err := root.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
		sub, err := root.OpenRoot(name)
		if err != nil {
			t.Fatal(err)
		}
		return sub
	}
	d := &cloudtest.InProcess{Queue: cloud.NewQueue("wake", nil), Secrets: cloud.NewSecrets(map[string]string{"clients": "open sesame"}, nil)}
	if d.Bucket, err = cloud.OpenBucket("archive", root, "archive", nil); err != nil {
		t.Fatal(err)
	}
	d.Kinesis = cloud.NewKinesis(cloud.KinesisOptions{Dir: folder("kinesis")})
	for name, shards := range map[string]int{"datasink.orders": 2, "datasink.others": 1} {
		if err := d.Kinesis.Open(name, cloud.StreamOptions{Shards: shards}); err != nil {
			t.Fatal(err)
		}
	}
	d.Firehose = cloud.NewFirehose(cloud.FirehoseOptions{Dir: folder("firehose"), Write: d.Bucket.Write, Log: slog.New(slog.DiscardHandler)})
	err = d.Firehose.Open("datasink.orders", cloud.DeliveryStream{Folder: func(time.Time) string { return "orders/" }, BufferBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestInProcess(t *testing.T) {
	t.Parallel()
	cloudtest.Run(t, open(t), resources)
}

func TestByWire(t *testing.T) {
	t.Parallel()
	d := open(t)
	server := httptest.NewServer(wire.New(wire.Services{
		Kinesis: d.Kinesis, Firehose: d.Firehose, Buckets: []*cloud.Bucket{d.Bucket}, Queues: map[string]*cloud.Queue{"/wake": d.Queue}, Secrets: d.Secrets,
	}))
	t.Cleanup(server.Close)
	config := aws.Config{Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("any", "any", "")}
	cloudtest.Run(t, cloudtest.NewByWire(config, "archive", server.URL+"/wake"), resources)
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
