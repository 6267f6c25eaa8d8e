package chaos_test

import (
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/rig/chaos"
)

func TestARedisThatIsAwayLosesNoRecord(t *testing.T) {
	report, err := chaos.Outage(t.Context(), chaos.OutageOptions{
		Lab: lab(t), Rate: 40, Before: 2 * time.Second, Down: 3 * time.Second, After: 2 * time.Second, Hurry: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report)
	if len(report) != 2 || report[0].Redis != "killed" || report[1].Redis != "frozen" {
		t.Errorf("the report is of %d outages, want Redis killed and frozen", len(report))
	}
	for _, f := range report {
		if err := f.Outcome(); err != nil {
			t.Error(err)
		}
		if f.Requests < 100 || f.Verdict.Archived < f.Requests || f.Usual.Count == 0 {
			t.Errorf("the outage was not what it should be: %+v", f)
		}
	}
}
