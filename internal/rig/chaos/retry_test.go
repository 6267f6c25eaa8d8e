package chaos_test

import (
	"testing"

	"github.com/data-sink/data-sink/internal/rig/chaos"
)

func TestAClientThatResendsWithItsKeyIsArchivedOnce(t *testing.T) {
	r, err := chaos.Retry(t.Context(), hurriedLab(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	wantAtLeast(t, "acknowledged records", r.Verdict.Acked, 2_000)
	wantAtLeast(t, "records that were sent again", r.Resent, 1)
	wantAtLeast(t, "tries that found an earlier one", r.Replays, 1)
	if r.Verdict.Missed > 0 {
		t.Errorf("%d faults did not take place", r.Verdict.Missed)
	}
}
