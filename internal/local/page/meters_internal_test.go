package page

import (
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
)

func TestStreamsChangeWhileThePipelineRuns(t *testing.T) {
	t.Parallel()
	parse := func(text string) *stream.Set {
		set, err := stream.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	p := New(Options{Data: t.TempDir(), Streams: parse(`{"streams":[{"name":"orders"},{"name":"views"}]}`)})
	p.meter("orders").pushed.Store(3)
	p.meter("datasink.views").pushed.Store(4)

	p.SetStreams(parse(`{"streams":[{"name":"clicks"},{"name":"orders","format":"raw"}]}`))
	type shown struct {
		Name     string
		Retired  bool
		Accepted string
	}
	var got []shown
	for _, s := range p.numbers(query{stream: "clicks"}).Streams {
		got = append(got, shown{s.Name, s.Retired, s.Accepted})
	}
	want := []shown{{"clicks", false, "0"}, {"orders", false, "3"}, {"views", true, "4"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("streams of the page (-want +got):\n%s", diff)
	}
	if compression := p.meter("orders").stream.Load().Compression; compression == stream.Gzip {
		t.Errorf("compression %v of orders, want that of the new set", compression)
	}
}
