package stream_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/readmetest"
)

func TestReadmeHasTheFields(t *testing.T) {
	t.Parallel()
	readmetest.Section(t, "../../../README.md", "streams", fieldTable(t), *update)
}

// fieldTable returns the reference of the fields of a stream in Markdown.
func fieldTable(tb testing.TB) string {
	tb.Helper()
	var b strings.Builder
	b.WriteString("| field | default | meaning |\n|---|---|---|\n")
	for field := reflectSchema(stream.Stream{}).Properties.Oldest(); field != nil; field = field.Next() {
		byDefault := ""
		if field.Value.Default != nil {
			value, err := json.Marshal(field.Value.Default)
			if err != nil {
				tb.Fatal(err)
			}
			byDefault = "`" + strings.Trim(string(value), `"`) + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", field.Key, byDefault, field.Value.Description)
	}
	return b.String()
}
