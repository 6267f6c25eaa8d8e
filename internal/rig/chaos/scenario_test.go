package chaos_test

import (
	"context"
	"testing"

	"github.com/data-sink/data-sink/internal/rig/chaos"
)

// check runs a scenario and checks that no promise is broken.
func check(t *testing.T, scenario func(context.Context, chaos.Lab) (chaos.Report, error)) {
	t.Helper()
	l := lab(t)
	l.Hurry = true
	r, err := scenario(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	if err := r.Err(); err != nil {
		t.Error(err)
	}
}

func TestTroubleOfOneStreamDoesNotDelayTheOthers(t *testing.T) { check(t, chaos.Isolation) }

func TestAnOutageOfRedisLosesNoRecord(t *testing.T) { check(t, chaos.Outage) }

func TestAClientThatResendsWithItsKeyIsArchivedOnce(t *testing.T) { check(t, chaos.Retry) }

func TestARotationRefusesNoLivePassword(t *testing.T) { check(t, chaos.Rotation) }
