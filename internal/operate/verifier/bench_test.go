package verifier_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
)

// BenchmarkInvoke verifies 64 MiB in compressed objects of four streams, of few
// large packed records and of many small ones.
func BenchmarkInvoke(b *testing.B) {
	for _, size := range []int{1000 << 10, 16 << 10} {
		b.Run(fmt.Sprintf("packed=%d", size), func(b *testing.B) {
			names := []string{"a", "b", "c", "d"}
			w := newWorld(b, names...)
			w.config.Log = slog.New(slog.DiscardHandler)
			random := rand.New(rand.NewPCG(1, 2))
			total := 0
			for _, name := range names {
				for object := range 2 {
					var packed []string
					for left := 8 << 20; left > 0; left -= size {
						var lines strings.Builder
						for lines.Len() < size {
							fmt.Fprintf(&lines, `{"order":%d,"customer":"%016x","amount":%d,"currency":"EUR","state":"paid"}`+"\n", random.IntN(1e9), random.Uint64(), random.IntN(1e6))
						}
						packed = append(packed, lines.String())
					}
					content := w.bridged(name, packed...)
					w.write(key(name, object), content)
					total += len(content)
				}
			}
			b.ReportAllocs()
			b.SetBytes(int64(total))
			for b.Loop() {
				if answer, err := w.invoke(b.Context(), scheduled); err != nil || answer.Streams["a"].Differences != 0 {
					b.Fatalf("%+v, %v", answer, err)
				}
			}
		})
	}
}
