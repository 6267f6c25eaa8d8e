package function

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
)

// invocation is the context that aws-lambda-go passes to a handler.
type invocation struct {
	context.Context
	header string
}

func (c invocation) Value(key any) any {
	if key == "x-amzn-trace-id" {
		return c.header
	}
	return c.Context.Value(key)
}

func TestLinesHaveTheIDOfATrace(t *testing.T) {
	t.Parallel()
	const root = "1-5759e988-bd862e3fe1be46a994272793"
	for _, test := range []struct{ name, header, want string }{
		{"traced", "Root=" + root + ";Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a:0", root},
		{"not traced", "Root=" + root + ";Parent=53995c3f42cd8ad8;Sampled=0", ""},
		{"undecided", "Root=" + root, ""},
		{"none", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			log := slog.New(traced{slog.NewJSONHandler(&out, nil)}).With("stream", "orders")
			log.InfoContext(invocation{t.Context(), test.header}, "packed")
			var line struct{ Stream, TraceID string }
			if err := json.Unmarshal(out.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			if line.TraceID != test.want || line.Stream != "orders" {
				t.Errorf("line %s, want trace %q", &out, test.want)
			}
		})
	}
}
