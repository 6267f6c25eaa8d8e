package streamsfile_test

import (
	"testing"

	"github.com/data-sink/data-sink/internal/operate/streamsfile"
)

func TestRetireKeepsTheFormatting(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ before, after string }{
		"one field": {
			`{"streams": [{"name": "a"}, {"name": "b"}]}`,
			`{"streams": [{"name": "a", "retired": true}, {"name": "b"}]}`,
		},
		"several fields": {
			"{\"streams\":[\n  {\"name\":\"b\"},\n  {\"shards\":2,\"name\":\"a\"}\n]}\n",
			"{\"streams\":[\n  {\"name\":\"b\"},\n  {\"shards\":2,\"name\":\"a\",\"retired\": true}\n]}\n",
		},
		"a line for each field": {
			"{\"streams\": [\n  {\n    \"name\": \"a\",\n    \"shards\": 2\n  }\n]}",
			"{\"streams\": [\n  {\n    \"name\": \"a\",\n    \"shards\": 2,\n    \"retired\": true\n  }\n]}",
		},
		"one field on its own line": {
			"{\"streams\": [\r\n\t{\r\n\t\t\"name\": \"a\"\r\n\t}\r\n]}",
			"{\"streams\": [\r\n\t{\r\n\t\t\"name\": \"a\",\r\n\t\t\"retired\": true\r\n\t}\r\n]}",
		},
		"the field exists": {
			`{"streams": [{"name": "a", "retired": false , "shards": 2}]}`,
			`{"streams": [{"name": "a", "retired": true , "shards": 2}]}`,
		},
	} {
		got, err := streamsfile.Retire([]byte(tt.before), "a")
		if err != nil || string(got) != tt.after {
			t.Errorf("%s: Retire = %v\n%s\nwant\n%s", name, err, got, tt.after)
		}
	}
}

func TestRetireRefuses(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"a": "a: the stream is retired already", "b": "b: no such stream"} {
		if _, err := streamsfile.Retire([]byte(`{"streams": [{"name": "a", "retired": true}]}`), name); err == nil || err.Error() != want {
			t.Errorf("Retire(%s) = %v, want %s", name, err, want)
		}
	}
}
