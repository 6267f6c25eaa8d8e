package stream_test

import (
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
)

func TestColumnsAreRead(t *testing.T) {
	t.Parallel()
	set, err := stream.Parse([]byte(`{"streams":[{"name":"orders","columns":[
		{"name":"customer_id","pointer":"/customer/id","type":"bigint"},{"name":"at","pointer":"/a~1t/0","type":"timestamp"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []stream.Column{{Name: "customer_id", Pointer: "/customer/id", Type: stream.Bigint}, {Name: "at", Pointer: "/a~1t/0", Type: stream.Timestamp}}
	if diff := cmp.Diff(want, set.All()[0].Columns); diff != "" {
		t.Errorf("columns differ (-want +got):\n%s", diff)
	}
}

func TestBadColumnsAreRefused(t *testing.T) {
	t.Parallel()
	for column, want := range map[string]string{
		`{"name":"dt","pointer":"/a","type":"string"}`:                                            "columns: [0]: name:",
		`{"name":"A","pointer":"/a","type":"string"}`:                                             "columns: [0]: name:",
		`{"name":"a\"b","pointer":"/a","type":"string"}`:                                          "columns: [0]: name:",
		`{"name":"a","pointer":"a","type":"string"}`:                                              "pointer:",
		`{"name":"a","pointer":"/~2","type":"string"}`:                                            "pointer:",
		`{"name":"a","pointer":"/a","type":"int"}`:                                                "type:",
		`{"name":"a","pointer":"/a"}`:                                                             "type:",
		`{"name":"a","pointer":"/a","type":"string","size":1}`:                                    "columns",
		`{"name":"a","pointer":"/a","type":"string"},{"name":"a","pointer":"/b","type":"string"}`: "given twice",
	} {
		_, err := stream.Parse([]byte(`{"streams":[{"name":"orders","columns":[` + column + `]}]}`))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("columns %s: %v, want an error with %q", column, err, want)
		}
	}
}
