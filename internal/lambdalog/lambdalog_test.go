package lambdalog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/data-sink/data-sink/internal/lambdalog"
)

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
			log := slog.New(lambdalog.Traced(slog.NewJSONHandler(&out, nil))).With("stream", "orders")
			var key any = "x-amzn-trace-id" // a plain string in aws-lambda-go
			ctx := context.WithValue(t.Context(), key, test.header)
			log.InfoContext(ctx, "packed")
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
