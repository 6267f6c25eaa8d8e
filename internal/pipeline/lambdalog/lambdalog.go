// Package lambdalog is the functions' logger.
package lambdalog

import (
	"context"
	"log/slog"
	"strings"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// New returns a logger to standard output in the format that Lambda asks for.
// Its lines have the id of the request and, of a request that X-Ray traces, the
// id of the trace.
func New() *slog.Logger { return slog.New(traced{lambdacontext.NewLogHandler()}) }

// Traced returns a handler that adds the id of the trace to what h logs.
func Traced(h slog.Handler) slog.Handler { return traced{h} }

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

// traceHeader is the key under which aws-lambda-go keeps the trace header.
const traceHeader = "x-amzn-trace-id"

// traceID is the root of the trace, empty unless X-Ray records it: Lambda makes
// up an id for every request, which without a trace leads nowhere.
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
