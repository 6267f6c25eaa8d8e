package chaos_test

import (
	"testing"

	"github.com/data-sink/data-sink/internal/rig/chaos"
)

func TestARotationRefusesNoLivePassword(t *testing.T) {
	r, err := chaos.Rotation(t.Context(), hurriedLab(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	wantAtLeast(t, "requests while Secrets Manager refuses connections", r.Refusing.Count, 1)
	wantAtLeast(t, "requests while Secrets Manager does not answer", r.Silent.Count, 1)
	wantAtLeast(t, "acknowledged records", r.Verdict.Acked, r.Accepted)
}
