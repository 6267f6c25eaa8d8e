package ingest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// noQueue accepts every record and discards it. noArchive and noWaker fail.
type (
	noQueue   struct{}
	noArchive struct{}
	noWaker   struct{}
)

func (noQueue) Push(context.Context, string, []byte, int64) (queue.Pushed, error) {
	return queue.Pushed{Depth: 1}, nil
}

func (noQueue) PushPart(_ context.Context, _ string, p queue.Part, _ int64) (queue.PartPushed, error) {
	return queue.PartPushed{Pushed: queue.Pushed{Depth: 1}, Done: p.First + len(p.Envelopes)}, nil
}
func (noQueue) Ping(context.Context) error { return nil }
func (noArchive) Put(context.Context, stream.Stream, envelope.Record, archive.Reason) (string, error) {
	return "", io.ErrClosedPipe
}
func (noArchive) Check(context.Context) error                     { return io.ErrClosedPipe }
func (noWaker) Wake(context.Context, string, time.Duration) error { return io.ErrClosedPipe }

func benchHandler(tb testing.TB) *Handler {
	tb.Helper()
	streams, err := stream.Parse([]byte(`{"streams":[{"name":"orders"}]}`))
	if err != nil {
		tb.Fatal(err)
	}
	return New(Config{
		Ingest:  env.Defaults(env.ParseIngest),
		Streams: streams, Queue: noQueue{}, Archive: noArchive{}, Waker: noWaker{}, Log: slog.New(slog.DiscardHandler),
		Credentials: basicauth.NewCache(func(context.Context) ([]byte, error) { return []byte(`{"datasink":"hunter2"}`), nil }, time.Minute, time.Hour),
	})
}

// BenchmarkInvoke measures a request without Redis, and for comparison the decoding
// of the event with encoding/json and base64.
func BenchmarkInvoke(b *testing.B) {
	h := benchHandler(b)
	for _, size := range []int{1 << 10, 1<<20 - 1<<15} {
		for _, kind := range []string{"base64", "text"} {
			event := benchEvent(b, kind, size)
			b.Run(fmt.Sprintf("ours/%s/%d", kind, size), func(b *testing.B) {
				ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
				defer cancel()
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					out, err := h.Invoke(ctx, event)
					if err != nil || string(out[:17]) != `{"statusCode":202` {
						b.Fatalf("%s, %v", out, err)
					}
				}
			})
			b.Run(fmt.Sprintf("encoding-json/%s/%d", kind, size), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					var e events.APIGatewayV2HTTPRequest
					if err := json.Unmarshal(event, &e); err != nil {
						b.Fatal(err)
					}
					if e.IsBase64Encoded {
						if _, err := base64.StdEncoding.DecodeString(e.Body); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}
