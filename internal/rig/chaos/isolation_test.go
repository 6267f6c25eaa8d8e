package chaos_test

import (
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/rig/chaos"
)

func TestAStreamInTroubleKeepsNoOtherFromTheTap(t *testing.T) {
	r, err := chaos.Isolation(t.Context(), chaos.IsolationOptions{Lab: lab(t), Rate: 20, Phase: 3 * time.Second, Flood: 9_000, Hurry: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	if err := r.Outcome(); err != nil {
		t.Error(err)
	}
	if len(r) != 5 || r.Of("throttled").Depth == 0 || r.Of("poisoned").Others == 0 || r.Of("flooded").Depth < 3_000 {
		t.Errorf("the phases were not what they should be: %+v", r)
	}
}
