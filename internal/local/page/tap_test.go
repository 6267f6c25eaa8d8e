package page_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// The page counts the records that the drainer puts to Firehose, and none of them on
// the tap.
func TestThePageShowsAStreamWithoutATap(t *testing.T) {
	t.Parallel()
	set, err := stream.Parse([]byte(`{"streams":[{"name":"audit","tap":false},{"name":"clicks","tap":"ending"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	home := start(t, func(o *local.Options) { o.Streams = set })
	for range 30 {
		for _, name := range []string{"audit", "clicks"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, home+"archives/"+name, strings.NewReader("a record\nof two lines"))
			if err != nil {
				t.Fatal(err)
			}
			r.SetBasicAuth("datasink", "secret")
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close() // Only the status is of interest.
			if response.StatusCode != http.StatusAccepted {
				t.Fatalf("POST = %d, want 202", response.StatusCode)
			}
		}
	}
	var text string
	waitFor(t, "all records in the archive", func() bool {
		_, _, text = do(t, http.MethodGet, home, nil, nil)
		return strings.Contains(text, "No: all accepted records are in the archive.") && strings.Contains(text, `id="archived">60<`)
	})
	for _, want := range []string{`id="wide-untapped"`, `id="narrow-untapped"`, `<span class="quiet">no tap</span>`, `<span class="quiet">tap ending</span>`, `id="tap">0<`} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not have %s", want)
		}
	}
	if _, _, text := do(t, http.MethodGet, start(t, nil), nil, nil); strings.Contains(text, "untapped") {
		t.Error("the page of streams with taps has a path without a tap")
	}
}
