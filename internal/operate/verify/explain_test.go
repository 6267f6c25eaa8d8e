package verify_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/operate/verify"
	"pgregory.net/rapid"
)

func TestBodiesThatAreAlikeAreCounted(t *testing.T) {
	t.Parallel()
	beats := func(n int) []string { return slices.Repeat([]string{"{}"}, n) }
	for _, tt := range []struct {
		name string
		// The beats in each packed record, and the packed records of each object.
		packed  []int
		objects [][]int
	}{
		{"in order", []int{1, 2, 3}, [][]int{{0, 1, 2}}},
		{"in another order", []int{1, 2, 3, 1, 5}, [][]int{{2, 0}, {4, 1, 3}}},
		{"only one way is right", []int{1, 2, 3}, [][]int{{1}, {0, 2}}},
		{"the larger one first", []int{1, 1, 7, 5}, [][]int{{3}, {2, 1, 0}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, n := range tt.packed {
				w.bridged(beats(n)...)
			}
			all := w.packed
			for n, parts := range tt.objects {
				w.packed = nil
				for _, p := range parts {
					w.packed = append(w.packed, all[p])
				}
				w.deliver(n)
			}
			if r := run(t, w.config()); !r.Equal() {
				t.Errorf("findings %v", r.Findings)
			}
		})
	}
}

func TestRecordsThatBeginWithOthersAreToldApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bridged("a")
	w.bridged("a", "b") // its first bytes are those of the first one
	w.bridged("a", "b", "c")
	slices.Reverse(w.packed)
	w.deliver(0)
	if r := run(t, w.config()); !r.Equal() {
		t.Errorf("findings %v", r.Findings)
	}
}

func TestSeveralFaultsOfOneObjectAreFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 20 {
		w.bridged(fmt.Sprintf("record %d of this object", i))
	}
	w.packed[3][0] ^= 1
	w.packed[9][5] ^= 1
	w.packed = slices.Insert(w.packed, 15, []byte("nobody logged this\n"))
	w.deliver(0)
	r := run(t, w.config())
	var got []string
	for _, f := range r.Findings {
		got = append(got, fmt.Sprintf("%s %d", f.Kind, f.Bytes))
	}
	want := "changed 24, changed 24, unknown 19"
	if strings.Join(got, ", ") != want {
		t.Errorf("found %q, want %q: %v", got, want, r.Findings)
	}
}

// TestAnyFaultIsFound makes objects of random packed records and at most one
// random fault, which is to be found exactly when it was made.
func TestAnyFaultIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rapid.Check(t, func(rt *rapid.T) {
		w.log.Reset()
		w.packed, w.tap, w.now = nil, nil, base
		body := rapid.StringOfN(rapid.RuneFrom([]rune("ab\n")), 0, 6, -1)
		for range rapid.IntRange(1, 30).Draw(rt, "packed records") {
			w.bridged(rapid.SliceOfN(body, 1, 3).Draw(rt, "bodies")...)
		}
		random := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(rt, "seed")))
		// Nearly in order, as Firehose writes them.
		for i := range len(w.packed) - 1 {
			if random.IntN(3) == 0 {
				w.packed[i], w.packed[i+1] = w.packed[i+1], w.packed[i]
			}
		}
		objects := slices.Collect(slices.Chunk(w.packed, max(1, len(w.packed)/3)))
		fault := rapid.SampledFrom([]string{"none", "byte", "deleted", "twice"}).Draw(rt, "fault")
		hit := random.IntN(len(objects))
		for n, packed := range objects {
			content := bytes.Join(packed, nil)
			if n == hit && fault == "byte" {
				content[random.IntN(len(content))] = '!'
			}
			if n != hit || fault != "deleted" {
				w.write(key(base, n), content)
				defer w.remove(key(base, n))
			}
			if n == hit && fault == "twice" {
				w.write(key(base, n)+".again.gz", content)
				defer w.remove(key(base, n) + ".again.gz")
			}
		}
		r := run(t, w.config())
		if r.Equal() != (fault == "none") {
			rt.Fatalf("fault %s of object %d: findings %v", fault, hit, r.Findings)
		}
		kinds := map[string]verify.Kind{"deleted": verify.Missing, "twice": verify.Twice}
		if want := kinds[fault]; want != "" && !slices.ContainsFunc(r.Findings, func(f verify.Finding) bool { return f.Kind == want }) {
			rt.Fatalf("fault %s: findings %v, want one that is %s", fault, r.Findings, want)
		}
	})
}
