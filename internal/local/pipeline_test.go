package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/apitest"
	"github.com/data-sink/data-sink/internal/rig/s3test"
)

// ours are the streams of the repository.
func ours(tb testing.TB) *stream.Set {
	tb.Helper()
	set, err := stream.Load("../../streams.json")
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// options are those of a quick pipeline in a folder of the test.
func options(tb testing.TB) local.Options {
	tb.Helper()
	return local.Options{
		Streams: ours(tb), Data: tb.TempDir(), Addr: "127.0.0.1:0", User: "datasink", Password: "secret",
		Flush: 50 * time.Millisecond, WakeInterval: 20 * time.Millisecond, Window: 5 * time.Millisecond, Log: quiet,
	}
}

// pipeline is a running one, with what a test needs of it.
type pipeline struct {
	*local.Pipeline
	url, root string
	stopped   bool
}

func start(tb testing.TB, o local.Options) *pipeline {
	tb.Helper()
	p, err := local.Start(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	running := &pipeline{Pipeline: p, url: "http://" + p.Addr().String(), root: filepath.Join(o.Data, "archive")}
	tb.Cleanup(func() {
		if !running.stopped {
			_ = p.Stop(context.WithoutCancel(tb.Context())) // A test that has failed already.
		}
	})
	return running
}

func (p *pipeline) stop(tb testing.TB) {
	tb.Helper()
	p.stopped = true
	if err := p.Stop(tb.Context()); err != nil {
		tb.Fatalf("Stop: %v", err)
	}
}

// post posts a body, which must be accepted, and returns the record's id.
func (p *pipeline) post(tb testing.TB, path, body string) string {
	tb.Helper()
	r := apitest.Request(tb, "POST", p.url+"/archives/"+path, "application/octet-stream", strings.NewReader(body))
	r.SetBasicAuth("datasink", "secret")
	status, _, answer := apitest.Do(tb, http.DefaultClient, r)
	var accepted struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &accepted); status != 202 || err != nil || accepted.ID == "" {
		tb.Fatalf("POST %s = %d %s, want 202 and an id", path, status, answer)
	}
	return accepted.ID
}

// bodies returns the bodies of a stream of lines in the archive, sorted.
func bodies(tb testing.TB, root, name string) []string {
	tb.Helper()
	dir := filepath.Join(root, name)
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	lines := strings.SplitAfter(s3test.Joined(s3test.Objects(tb, dir)), "\n")
	lines = lines[:len(lines)-1]
	slices.Sort(lines)
	return lines
}

func TestPipelineArchivesWhatItAccepts(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.S3Addr = "127.0.0.1:0"
	p := start(t, o)
	for i := range 10 {
		p.post(t, "orders?partition_key=k", fmt.Sprintf("order %d", i))
		p.post(t, "legacy-archives", "raw")
	}
	waitFor(t, "the records in the archive", func() bool {
		return len(bodies(t, p.root, "orders")) == 10
	})
	health, _, _ := apitest.Do(t, http.DefaultClient, apitest.Request(t, "GET", p.url+"/health", "", nil))
	if health != 200 {
		t.Errorf("GET /health = %d", health)
	}
	list, err := s3Client("http://"+p.S3Addr().String()).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket, Prefix: aws.String("orders/")})
	if err != nil || len(list.Contents) == 0 {
		t.Errorf("listing over S3: %v, %v", list, err)
	}
	p.stop(t)
	if got := s3test.Joined(s3test.Objects(t, filepath.Join(p.root, "legacy-archives"))); got != strings.Repeat("raw", 10) {
		t.Errorf("raw stream holds %q", got)
	}
}

func TestPipelineSaysWhatIsInTheWay(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	running := options(t)
	start(t, running)
	for name, tt := range map[string]struct {
		change func(*local.Options)
		want   string
	}{
		"address":    {func(o *local.Options) { o.Addr = taken.Addr().String() }, "address already in use"},
		"S3 address": {func(o *local.Options) { o.S3Addr = taken.Addr().String() }, "address already in use"},
		"folder":     {func(o *local.Options) { o.Data = file }, file},
		"in use":     {func(o *local.Options) { o.Data = running.Data }, fmt.Sprintf("another datasink uses this data folder (process %d)", os.Getpid())},
		"Redis":      {func(o *local.Options) { o.RedisURL = "redis://:hunter2@127.0.0.1:1" }, "the Redis at redis://127.0.0.1:1 does not answer"},
		"Redis URL":  {func(o *local.Options) { o.RedisURL = "http://x" }, "Redis URL is malformed"},
		"user":       {func(o *local.Options) { o.User = "a:b" }, "has a colon"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			tt.change(&o)
			_, err := local.Start(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Start = %v, want an error with %q", err, tt.want)
			}
		})
	}
}
