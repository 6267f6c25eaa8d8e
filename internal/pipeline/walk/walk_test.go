package walk_test

import (
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/walk"
	"github.com/google/go-cmp/cmp"
)

func TestWalkerReadsEveryKindOfValue(t *testing.T) {
	t.Parallel()
	var text, plain, escaped, raw, null []byte
	var truth, isPlain, isEscapedPlain bool
	var elements []string
	w := walk.New([]byte(`{ "text": "a\u00e9", "plain": "YQ==", "escaped": "a\"b", "raw": {"a": [1.5e3]}, "truth": true,
		"null": null, "skipped": [{}, [], -0.1, "x", false], "list": ["1", "2"], "none": null }`))
	w.Object(func(name []byte) {
		switch string(name) {
		case "text":
			w.Text(&text)
		case "plain":
			isPlain = w.Plain(&plain)
		case "escaped":
			isEscapedPlain = w.Plain(&escaped)
		case "raw":
			w.Raw(&raw)
		case "null":
			w.Raw(&null)
		case "truth":
			w.Bool(&truth)
		case "list", "none":
			w.Array(func() {
				var element []byte
				w.Text(&element)
				elements = append(elements, string(element))
			})
		default:
			w.Skip()
		}
	})
	if w.End(); w.Err() != nil {
		t.Fatal(w.Err())
	}
	got := []any{string(text), string(plain), isPlain, string(escaped), isEscapedPlain, string(raw), null == nil, truth, elements}
	want := []any{"aé", "YQ==", true, `a"b`, false, `{"a": [1.5e3]}`, true, true, []string{"1", "2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the walk differs (-want +got):\n%s", diff)
	}
}

func TestWalkerKeepsTheFirstError(t *testing.T) {
	t.Parallel()
	for event, want := range map[string]string{
		``:                 "malformed at byte 0 of 0: want {",
		`[]`:               "malformed at byte 0 of 2: want {",
		`{"secret":x}`:     "malformed at byte 10 of 12: want a value",
		`{"a":1} {}`:       "malformed at byte 8 of 10: want the end",
		`{"a":"` + "\n\"}": "malformed at byte 6 of 9: want a well-formed string",
	} {
		w := walk.New([]byte(event))
		w.Object(func([]byte) { w.Skip() })
		w.End()
		if w.Fail("nothing else"); w.Err().Error() != want {
			t.Errorf("walking %q: %v, want %s", event, w.Err(), want)
		}
	}
}
