package page_test

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
)

// row is a stream in the page's table with its number of accepted records.
var row = regexp.MustCompile(`<a id="choose-[^>]*>([^<]*)</a>( <span class="quiet">retired</span>)?</th>(?:<td>[^<]*</td>){4}<td>([^<]*)</td>`)

func TestStreamsChangeWhileThePipelineRuns(t *testing.T) {
	t.Parallel()
	parse := func(text string) *stream.Set {
		set, err := stream.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	p, stop := startPipeline(t, func(o *local.Options) { o.Streams = parse(`{"streams":[{"name":"orders"},{"name":"views"}]}`) })
	stopAtEnd(t, stop)
	home := homeOf(p)
	send := func(stream, times string) {
		t.Helper()
		do(t, http.MethodPost, home+"page/send", url.Values{"stream": {stream}, "body": {"x"}, "times": {times}}, nil)
	}
	send("orders", "3")
	send("views", "4")
	if err := p.SetStreams(parse(`{"streams":[{"name":"clicks"},{"name":"orders"}]}`)); err != nil {
		t.Fatal(err)
	}
	send("clicks", "2")
	_, _, html := do(t, http.MethodGet, home, nil, nil)
	var got [][]string
	for _, found := range row.FindAllStringSubmatch(html, -1) {
		got = append(got, found[1:])
	}
	const retired = ` <span class="quiet">retired</span>`
	if diff := cmp.Diff([][]string{{"clicks", "", "2"}, {"orders", "", "3"}, {"views", retired, "4"}}, got); diff != "" {
		t.Errorf("streams of the page (-want +got):\n%s", diff)
	}
	waitFor(t, "all in the archive", func() bool { return allArchived(t, home) })
}
