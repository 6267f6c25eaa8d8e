package bridge_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func lengths(list [][]byte) (n []int) {
	for _, b := range list {
		n = append(n, len(b))
	}
	return n
}

func TestSmallRecordsAreBilledForWhatTheyAre(t *testing.T) {
	t.Parallel()
	var list []sent
	for i := range 10_000 {
		list = append(list, record(i, bytes.Repeat([]byte{'x'}, 200)))
	}
	b := setup(t)
	invoke(t, b.Handler, t.Context(), event(list))
	// Firehose bills each record rounded up to the next 5 KB.
	const step = 5 << 10
	real, billed := 0, 0
	for _, r := range b.firehose.took {
		real += len(r)
		billed += (len(r) + step - 1) / step * step
	}
	if real != 10_000*201 || float64(billed) > 1.1*float64(real) {
		t.Errorf("%d bytes are billed as %d, want 1.1 times 2010000 at most", real, billed)
	}
}

func TestPackedLinesTellWhatFirehoseGot(t *testing.T) {
	t.Parallel()
	var list []sent
	for i := range 12 {
		list = append(list, record(i, bytes.Repeat([]byte{byte('a' + i)}, 300_000)))
	}
	b := setup(t)
	invoke(t, b.Handler, t.Context(), event(list))
	var want []pack.Line
	for i, body := range b.firehose.took {
		want = append(want, pack.Line{
			Stream: "orders", Bytes: len(body), Records: 3, Hash: xxhash.Sum64(body),
			Shard: "shardId-000000000007", FirstSequence: fmt.Sprint(3*i + 1), LastSequence: fmt.Sprint(3*i + 3),
		})
	}
	got := packedLines(t, &b.log)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(pack.Line{}, "LoggedAt")); diff != "" || len(want) != 4 {
		t.Errorf("%d lines for %d Firehose records (-want +got):\n%s", len(got), len(want), diff)
	}
}

func BenchmarkInvoke(b *testing.B) {
	for _, size := range []int{200, 1 << 10, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var list []sent
			body := make([]byte, size)
			_, _ = rand.NewChaCha8([32]byte{}).Read(body)
			for total := 0; total < 5<<20; total += 560 + size*4/3 { // of an event's JSON
				list = append(list, record(len(list), body))
			}
			event := event(list)
			h := bridge.New(bridge.Config{
				Bridge: env.Bridge{Base: env.Base{Name: "datasink"}}, Streams: streams(b), Archive: &failed{}, Log: slog.New(slog.DiscardHandler),
				Firehose: put(func([]sink.Entry) sink.Result { return sink.Result{} }),
			})
			b.SetBytes(int64(len(event)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.Invoke(context.Background(), event); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
