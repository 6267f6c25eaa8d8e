package httpapi_test

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/data-sink/data-sink/internal/rig/readmetest"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the examples in the ingest package's README")

// examples are the clients in testdata/examples with their commands.
var examples = []struct {
	name, file, fence string
	command           []string
}{
	{"curl", "client.sh", "sh", []string{"sh"}},
	{"go", "client.go", "go", []string{"go", "run"}},
	{"python", "client.py", "python", []string{"python3"}},
	{"ruby", "client.rb", "ruby", []string{"ruby"}},
	{"javascript", "client.mjs", "js", []string{"node"}},
}

func TestReadmeHasTheExamples(t *testing.T) {
	t.Parallel()
	for _, e := range examples {
		content, err := os.ReadFile(filepath.Join("testdata/examples", e.file))
		if err != nil {
			t.Fatal(err)
		}
		readmetest.Section(t, "../../pipeline/ingest/README.md", "example-"+e.name, "```"+e.fence+"\n"+string(content)+"```\n", *update)
	}
}

// network is a proxy that fails the first tries of each request: an answer 503, an
// answer that is lost after the API has stored the record, and an answer 429.
type network struct {
	api string

	mu sync.Mutex
	// tries holds the idempotency keys of the tries of each path.
	tries map[string][]string
}

func (n *network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	n.tries[r.URL.Path] = append(n.tries[r.URL.Path], r.Header.Get("Idempotency-Key"))
	try := len(n.tries[r.URL.Path])
	n.mu.Unlock()
	switch try {
	case 1:
		w.WriteHeader(http.StatusServiceUnavailable)
	case 2:
		_, _ = n.forward(r)
		panic(http.ErrAbortHandler)
	case 3:
		w.WriteHeader(http.StatusTooManyRequests)
	default:
		answer, err := n.forward(r)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = answer.Body.Close() }()
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	}
}

func (n *network) forward(r *http.Request) (*http.Response, error) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, n.api+r.URL.RequestURI(), r.Body)
	if err != nil {
		return nil, err
	}
	out.Header, out.ContentLength = r.Header.Clone(), r.ContentLength
	return http.DefaultTransport.RoundTrip(out)
}

// Each example stores its records once, although the first tries fail.
func TestExamples(t *testing.T) {
	p := startPipeline(t)
	var want []string
	for _, e := range examples {
		if _, err := exec.LookPath(e.command[0]); err != nil {
			t.Fatalf("%s is missing: `make unit` installs it", e.command[0])
		}
		n := &network{api: p.url, tries: make(map[string][]string)}
		proxy := httptest.NewServer(n)
		t.Cleanup(proxy.Close)
		cmd := exec.Command(e.command[0], append(e.command[1:], filepath.Join("testdata/examples", e.file))...) // #nosec G204 -- the commands are listed above.
		cmd.Env = environment(proxy.URL)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", e.name, err, out)
		}
		for _, path := range []string{"/archives/orders", "/archives/orders/batch"} {
			keys := n.tries[path]
			if len(keys) != 4 || keys[0] == "" || len(slices.Compact(slices.Clone(keys))) != 1 {
				t.Errorf("%s: keys of the tries of %s = %q, want one key four times", e.name, path, keys)
			}
		}
		for i := range 4 {
			want = append(want, fmt.Sprintf(`{"from":"%s","n":%d}`, e.name, i+1))
		}
	}
	var got []string
	for _, record := range p.stop(t, "orders") {
		got = append(got, strings.ReplaceAll(record, " ", ""))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records in the archive (-want +got):\n%s", diff)
	}
}
