package verify_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

// BenchmarkRun verifies objects of 32 MiB, of few large and of many small packed
// records, intact and with a changed byte.
func BenchmarkRun(b *testing.B) {
	for _, size := range []int{1 << 20, 16 << 10, 1 << 10} {
		for _, changed := range []bool{false, true} {
			b.Run(fmt.Sprintf("packed=%d/changed=%v", size, changed), func(b *testing.B) {
				w := newWorld(b)
				random := rand.New(rand.NewPCG(1, 2))
				var content bytes.Buffer
				var lines []pack.Line
				for content.Len() < 32<<20 {
					n := size/2 + random.IntN(size/2)
					packed := make([]byte, n)
					for i := range packed {
						packed[i] = byte(random.Uint32())
					}
					content.Write(packed)
					at := base.Add(time.Duration(len(lines)) * time.Millisecond)
					lines = append(lines, pack.Line{
						LoggedAt: at, Bytes: n, Records: 1, Hash: xxhash.Sum64(packed), FirstSequence: fmt.Sprint(len(lines)), LastSequence: fmt.Sprint(len(lines)),
					})
				}
				if changed {
					content.Bytes()[content.Len()/2]++
				}
				w.put("orders/dt=2026-11-22/hour=23/d.orders-1", content.Bytes())
				c := w.config()
				c.Packed = func(_ context.Context, _, _ time.Time, each func(pack.Line) error) error {
					for _, p := range lines {
						if err := each(p); err != nil {
							return err
						}
					}
					return nil
				}
				b.ReportAllocs()
				b.SetBytes(int64(content.Len()))
				for b.Loop() {
					if r := run(b, c); r.Equal() == changed {
						b.Fatalf("findings %v", r.Findings)
					}
				}
			})
		}
	}
}
