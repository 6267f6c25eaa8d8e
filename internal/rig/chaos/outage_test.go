package chaos_test

import (
	"testing"

	"github.com/data-sink/data-sink/internal/rig/chaos"
)

func TestAnOutageOfRedisLosesNoRecord(t *testing.T) {
	report, err := chaos.Outage(t.Context(), hurriedLab(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report)
	if len(report) != 2 || report[0].Redis != "killed" || report[1].Redis != "frozen" {
		t.Errorf("%d kinds of outage, want killed and frozen", len(report))
	}
	for _, f := range report {
		if err := f.Outcome(); err != nil {
			t.Error(err)
		}
		wantAtLeast(t, "requests", f.Requests, 100)
		wantAtLeast(t, "archived records", f.Verdict.Archived, f.Requests)
		wantAtLeast(t, "requests before the outage", f.Usual.Count, 1)
	}
}
