package stream_test

import (
	"encoding/json"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
)

func TestWhereTheRecordsOfATapGo(t *testing.T) {
	t.Parallel()
	set, err := stream.Parse([]byte(`{"streams":[{"name":"default"},{"name":"on","tap":true},{"name":"ending","tap":"ending"},{"name":"off","tap":false}]}`))
	if err != nil {
		t.Fatal(err)
	}
	type tap struct{ has, feeds bool }
	for name, want := range map[string]tap{"default": {true, true}, "on": {true, true}, "ending": {true, false}, "off": {false, false}} {
		s, _ := set.Lookup(name)
		if got := (tap{s.HasTap(), s.FeedsTap()}); got != want {
			t.Errorf("%s: HasTap and FeedsTap = %v, want %v", name, got, want)
		}
	}
	if zero := (stream.Stream{Name: "zero"}); !zero.HasTap() || !zero.FeedsTap() {
		t.Error("a Stream that Parse has not seen has no tap, want the default")
	}
}

// A parsed file can be written and parsed again, although Parse adds defaults.
func TestAParsedFileParsesAgain(t *testing.T) {
	t.Parallel()
	set, err := stream.Parse([]byte(`{"streams":[{"name":"on"},{"name":"ending","tap":"ending","shards":2},{"name":"off","tap":false}]}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(stream.File{Streams: set.All()})
	if err != nil {
		t.Fatal(err)
	}
	again, err := stream.Parse(text)
	if err != nil {
		t.Fatalf("Parse of %s: %v", text, err)
	}
	if diff := cmp.Diff(set.All(), again.All()); diff != "" {
		t.Errorf("the streams differ (-before +after):\n%s", diff)
	}
}
