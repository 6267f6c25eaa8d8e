package function

import (
	"context"
	"log/slog"
	"strings"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// newLog returns a logger to standard output in the format that the function is
// configured for. Its lines have the ID of the request and, if X-Ray traces the
// request, the ID of the trace.
func newLog() *slog.Logger { return slog.New(traced{lambdacontext.NewLogHandler()}) }

// traced adds the ID of the trace to each line.
type traced struct{ slog.Handler }

func (t traced) Handle(ctx context.Context, r slog.Record) error {
	if id := traceID(ctx); id != "" {
		r.AddAttrs(slog.String("traceId", id))
	}
	return t.Handler.Handle(ctx, r)
}

func (t traced) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traced{t.Handler.WithAttrs(attrs)}
}

func (t traced) WithGroup(name string) slog.Handler { return traced{t.Handler.WithGroup(name)} }

// traceHeader is the context key with which aws-lambda-go stores the trace header.
const traceHeader = "x-amzn-trace-id"

// traceID returns the root of the trace, or an empty string if X-Ray does not record
// the request: Lambda sets an ID for every request, recorded or not.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
func traceID(ctx context.Context) string {
	header, _ := ctx.Value(traceHeader).(string)
	var root string
	sampled := false
	for field := range strings.SplitSeq(header, ";") {
		switch name, value, _ := strings.Cut(field, "="); strings.TrimSpace(name) {
		case "Root":
			root = value
		case "Sampled":
			sampled = value == "1"
		}
	}
	if !sampled {
		return ""
	}
	return root
}
