package chaos_test

import (
	"testing"

	"github.com/data-sink/data-sink/internal/rig/chaos"
)

func TestTroubleOfOneStreamDoesNotDelayTheOthers(t *testing.T) {
	r, err := chaos.Isolation(t.Context(), hurriedLab(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	if err := r.Outcome(); err != nil {
		t.Error(err)
	}
	if len(r) != 5 {
		t.Errorf("%d phases, want 5", len(r))
	}
	wantAtLeast(t, "depth while throttled", int(r.Of("throttled").Depth), 1)
	wantAtLeast(t, "poison records", r.Of("poisoned").Others, 1)
	wantAtLeast(t, "depth while flooded", int(r.Of("flooded").Depth), 3_000)
}
