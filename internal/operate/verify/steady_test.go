package verify_test

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"
)

// TestASteadyStreamOfOneBody has a body about every second for hours, with some lines
// that are logged late, and in half of the archives a pause of the clients. At each object's
// end there are records that the next object could have too.
func TestASteadyStreamOfOneBody(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	for seed := range uint64(2) {
		for _, isLost := range []bool{false, true} {
			a := steadyArchive(t, seed, seed%2 == 1)
			if isLost {
				o := a.objects[100] // of the verified hour
				o.content = o.content[:len(o.content)-len(o.packed[0])]
			}
			if r := s.verify(a); r.Equal() == isLost {
				t.Errorf("archive %d, a record is lost: %v, findings %v", seed, isLost, r.Findings)
			}
		}
	}
}

// steadyArchive returns four hours of one body, in an object for each minute.
func steadyArchive(t *testing.T, seed uint64, pauses bool) *randomArchive {
	a := &randomArchive{Rand: rand.New(rand.NewPCG(seed, 2)), t: t, mode: "steady", buffer: time.Minute}
	packed := []byte(`{"status":"ok"}` + "\n")
	var open *randomObject
	for at := base.Add(-90 * time.Minute); at.Before(base.Add(150 * time.Minute)); at = at.Add(time.Duration((0.2 + 1.6*a.Float64()) * float64(time.Second))) {
		if since := at.Sub(base); pauses && since > 30*time.Minute && since < 31*time.Minute {
			at = at.Add(90 * time.Second)
		}
		if open == nil || at.Sub(open.start) > a.buffer {
			open = a.begin(at)
		}
		open.packed = append(open.packed, packed)
		delay := time.Duration(a.IntN(900)) * time.Millisecond
		if a.IntN(200) == 0 && at.Before(base.Add(40*time.Minute)) {
			delay = time.Duration(a.IntN(300)) * time.Second
		}
		a.log(packed, at.Add(delay))
	}
	for _, o := range a.objects {
		o.content = bytes.Join(o.packed, nil)
	}
	return a
}
