package local_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/apitest"
	"github.com/data-sink/data-sink/internal/rig/s3test"
	"github.com/google/go-cmp/cmp"
)

// Streams can be added and removed while the pipeline runs. The records of a removed
// stream are still delivered.
func TestStreamsChangeWhileThePipelineRuns(t *testing.T) {
	t.Parallel()
	o := options(t)
	parse := func(text string) *stream.Set {
		set, err := stream.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	o.Streams = parse(`{"streams":[{"name":"orders"},{"name":"old","shards":2}]}`)
	p := start(t, o)
	p.post(t, "old", "before")
	if err := p.SetStreams(parse(`{"streams":[{"name":"orders","compression":"none"},{"name":"fresh","capacity":"on-demand"}]}`)); err != nil {
		t.Fatal(err)
	}
	p.post(t, "fresh", "new")
	p.post(t, "orders", "still there")
	r := apitest.Request(t, "POST", p.url+"/archives/old", "", strings.NewReader("after"))
	r.SetBasicAuth("datasink", "secret")
	if status, _, _ := apitest.Do(t, http.DefaultClient, r); status != 404 {
		t.Errorf("POST to the removed stream = %d, want 404", status)
	}
	p.stop(t)
	for name, want := range map[string]string{"old": "before\n", "fresh": "new\n", "orders": "still there\n"} {
		if diff := cmp.Diff([]string{want}, bodies(t, p.root, name)); diff != "" {
			t.Errorf("bodies of %s differ (-want +got):\n%s", name, diff)
		}
	}
	for key := range s3test.Objects(t, p.root+"/orders") {
		if strings.HasSuffix(key, ".gz") {
			t.Errorf("object %s, want one without compression", key)
		}
	}
	o.Streams = parse(`{"streams":[{"name":"orders"},{"name":"fresh"}]}`) // also with fewer shards
	start(t, o).stop(t)
}

// The document of the clients is read again while the pipeline runs.
func TestClientsChangeWhileThePipelineRuns(t *testing.T) {
	t.Parallel()
	o := options(t)
	var clients atomicBytes
	clients.Store([]byte(`{"shop":{"passwords":["one"],"streams":["orders"]}}`))
	o.Clients = clients.Load
	p := start(t, o)
	post := func(name, password string) int {
		r := apitest.Request(t, "POST", p.url+"/archives/"+name, "", strings.NewReader("x"))
		r.SetBasicAuth("shop", password)
		status, _, _ := apitest.Do(t, http.DefaultClient, r)
		return status
	}
	for _, tt := range []struct {
		stream, password string
		want             int
	}{{"orders", "one", 202}, {"page-views", "one", 403}, {"orders", "two", 401}} {
		if got := post(tt.stream, tt.password); got != tt.want {
			t.Errorf("POST to %s with %s = %d, want %d", tt.stream, tt.password, got, tt.want)
		}
	}
	clients.Store([]byte(`{"shop":{"passwords":["one","two"]}}`))
	waitFor(t, "the second password", func() bool { return post("page-views", "two") == 202 })
	if got := post("orders", "one"); got != 202 {
		t.Errorf("POST with the first password = %d, want 202", got)
	}
}
