package chaos_test

import (
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/rig/chaos"
)

func TestTroubleOfOneStreamDoesNotDelayTheOthers(t *testing.T) {
	r, err := chaos.Isolation(t.Context(), chaos.IsolationOptions{Lab: lab(t), Rate: 20, Phase: 3 * time.Second, Flood: 9_000, Hurry: true})
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
