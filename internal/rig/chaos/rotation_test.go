package chaos_test

import (
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/rig/chaos"
)

func TestARotationRefusesNobodyWithALivePassword(t *testing.T) {
	r, err := chaos.Rotation(t.Context(), chaos.RotationOptions{Lab: lab(t), Rate: 40, MaxAge: 2 * time.Second, Step: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	if r.Refusing.Count == 0 || r.Silent.Count == 0 || r.Verdict.Acked < r.Accepted {
		t.Errorf("the rotation was not what it should be: %+v", r)
	}
}
