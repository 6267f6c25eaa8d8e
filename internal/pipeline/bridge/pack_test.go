package bridge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/data-sink/data-sink/internal/pipeline/bridge"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestPackingIsExact holds for any bodies: what Firehose gets is the framed
// bodies in their order, in as few records as whole bodies allow.
func TestPackingIsExact(t *testing.T) {
	t.Parallel()
	noise := make([]byte, stream.MaxFramedBytes+2)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	rapid.Check(t, func(rt *rapid.T) {
		format := rapid.SampledFrom([]stream.Format{stream.Lines, stream.Raw}).Draw(rt, "format")
		size := rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(0, 400_000), rapid.IntRange(0, 400_000), rapid.IntRange(stream.MaxFramedBytes-2, stream.MaxFramedBytes+2))
		name := map[stream.Format]string{stream.Lines: "datasink.orders", stream.Raw: "datasink.legacy"}[format]
		var list []sent
		for i, n := range rapid.SliceOfN(size, 0, 6).Draw(rt, "sizes") {
			body := noise[:n:n]
			if n > 0 && rapid.Bool().Draw(rt, "is a line") {
				body = append(bytes.Clone(noise[:n-1]), '\n')
			}
			list = append(list, sent{name, fmt.Sprint(i + 1), body})
		}
		var want [][]byte // one by one, the plain way
		var open []byte
		aside := 0
		for _, r := range list {
			framed := format.AppendFramed(nil, r.body)
			if len(open)+len(framed) > stream.MaxFramedBytes {
				want, open = append(want, open), nil
			}
			if len(framed) > stream.MaxFramedBytes {
				aside++
				continue
			}
			open = append(open, framed...)
		}
		want = append(want, open)
		want = deleteEmpty(want)

		b := setup(t)
		if first := invoke(t, b.Handler, t.Context(), event(t, list)); first != "" {
			rt.Fatalf("undelivered from %q on, want nothing", first)
		}
		if !cmp.Equal(lengths(want), lengths(b.firehose.took)) {
			rt.Fatalf("Firehose records of %d bytes, want %d", lengths(b.firehose.took), lengths(want))
		}
		if !bytes.Equal(bytes.Join(want, nil), b.firehose.bytes()) {
			rt.Fatal("the Firehose records together are not the framed bodies")
		}
		if len(b.failed.kept) != aside {
			rt.Fatalf("%d objects under failed/, want %d", len(b.failed.kept), aside)
		}
	})
}

func deleteEmpty(list [][]byte) (kept [][]byte) {
	for _, b := range list {
		if len(b) > 0 {
			kept = append(kept, b)
		}
	}
	return kept
}

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
	invoke(t, b.Handler, t.Context(), event(t, list))
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
	invoke(t, b.Handler, t.Context(), event(t, list))
	var want []packedLine
	for i, body := range b.firehose.took {
		want = append(want, packedLine{
			Level: "INFO", Msg: bridge.LogPacked, Stream: "orders", Bytes: len(body), Records: 3, Hash: fmt.Sprintf("%016x", xxhash.Sum64(body)),
			Shard: "shardId-000000000007", FirstSequence: fmt.Sprint(3*i + 1), LastSequence: fmt.Sprint(3*i + 3),
		})
	}
	var got []packedLine
	lines := json.NewDecoder(&b.log)
	for {
		var line packedLine
		if err := lines.Decode(&line); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		got = append(got, line)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) != 4 {
		t.Errorf("%d lines for %d Firehose records (-want +got):\n%s", len(got), len(want), diff)
	}
}

type packedLine struct {
	Level, Msg, Stream          string
	Bytes, Records              int
	Hash, Shard                 string
	FirstSequence, LastSequence string
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
			event := event(b, list)
			h := bridge.New(bridge.Config{
				Deployment: "datasink", Streams: streams(b), Archive: &failed{}, Log: slog.New(slog.DiscardHandler),
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
