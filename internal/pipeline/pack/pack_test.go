package pack_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// packBodies packs bodies into a buffer that already holds something.
func packBodies(tb testing.TB, format stream.Format, bodies [][]byte) (packs []pack.Packed, oversize []int) {
	tb.Helper()
	before := []byte("before")
	dst, packs, oversize, err := pack.Pack(before, format, len(bodies), func(dst []byte, i int) ([]byte, error) {
		return append(dst, bodies[i]...), nil
	})
	if err != nil {
		tb.Fatalf("Pack: %v", err)
	}
	if !bytes.HasPrefix(dst, before) {
		tb.Fatal("Pack changed the bytes before its own")
	}
	return packs, oversize
}

func TestPackFramesAndJoins(t *testing.T) {
	t.Parallel()
	bodies := [][]byte{{}, []byte("a"), []byte("b\n"), {}, []byte("\x00\xff"), []byte("c\nd"), {}}
	for _, tt := range []struct {
		format stream.Format
		want   pack.Packed
	}{
		{stream.Lines, pack.Packed{First: 0, End: 7, Body: []byte("\na\nb\n\n\x00\xff\nc\nd\n\n")}},
		{stream.Raw, pack.Packed{First: 1, End: 7, Body: []byte("ab\n\x00\xffc\nd")}},
	} {
		packs, oversize := packBodies(t, tt.format, bodies)
		if diff := cmp.Diff([]pack.Packed{tt.want}, packs); diff != "" {
			t.Errorf("%s: packed records (-want +got):\n%s", tt.format, diff)
		}
		if len(oversize) != 0 {
			t.Errorf("%s: oversize = %v, want none", tt.format, oversize)
		}
	}
	if packs, oversize := packBodies(t, stream.Raw, [][]byte{{}, {}}); len(packs) != 0 || len(oversize) != 0 {
		t.Errorf("two empty raw bodies: %d packed records, oversize %v, want none", len(packs), oversize)
	}
}

func TestPackStopsAtAnError(t *testing.T) {
	t.Parallel()
	failure := errors.New("failure")
	calls := 0
	_, packs, _, err := pack.Pack(nil, stream.Lines, 3, func(dst []byte, i int) ([]byte, error) {
		if calls++; i == 1 {
			return nil, failure
		}
		return append(dst, 'a'), nil
	})
	if !errors.Is(err, failure) || len(packs) != 0 || calls != 2 {
		t.Errorf("Pack = %d packed records, %v after %d calls, want the error of the second call", len(packs), err, calls)
	}
}

// TestPackIsExact compares Pack with a plain implementation: the packed records
// are the framed bodies in their order, in as few records as whole bodies allow.
func TestPackIsExact(t *testing.T) {
	t.Parallel()
	noise := make([]byte, stream.MaxFramedBytes+2)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	rapid.Check(t, func(rt *rapid.T) {
		format := rapid.SampledFrom([]stream.Format{stream.Lines, stream.Raw}).Draw(rt, "format")
		size := rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(0, 400_000), rapid.IntRange(0, 400_000), rapid.IntRange(stream.MaxFramedBytes-2, stream.MaxFramedBytes+2))
		var bodies [][]byte
		for _, n := range rapid.SliceOfN(size, 0, 6).Draw(rt, "sizes") {
			body := noise[:n:n]
			if n > 0 && rapid.Bool().Draw(rt, "is a line") {
				body = append(bytes.Clone(noise[:n-1]), '\n')
			}
			bodies = append(bodies, body)
		}
		var want [][]byte
		var open []byte
		var wantOversize []int
		for i, body := range bodies {
			framed := format.AppendFramed(nil, body)
			if len(open)+len(framed) > stream.MaxFramedBytes {
				want, open = append(want, open), nil
			}
			if len(framed) > stream.MaxFramedBytes {
				wantOversize = append(wantOversize, i)
				continue
			}
			open = append(open, framed...)
		}
		want = slices.DeleteFunc(append(want, open), func(b []byte) bool { return len(b) == 0 })

		packs, oversize := packBodies(t, format, bodies)
		if diff := cmp.Diff(wantOversize, oversize); diff != "" {
			rt.Errorf("oversize (-want +got):\n%s", diff)
		}
		if len(packs) != len(want) {
			rt.Fatalf("%d packed records, want %d", len(packs), len(want))
		}
		for i, p := range packs {
			var again []byte
			for at := p.First; at < p.End; at++ {
				if !slices.Contains(oversize, at) {
					again = format.AppendFramed(again, bodies[at])
				}
			}
			if !bytes.Equal(p.Body, want[i]) {
				rt.Errorf("packed record %d has %d bytes, not the %d wanted", i, len(p.Body), len(want[i]))
			}
			if !bytes.Equal(p.Body, again) {
				rt.Errorf("packed record %d does not hold the records [%d, %d)", i, p.First, p.End)
			}
		}
	})
}
