package chaos_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/chaos"
)

// These two are not parallel: each keeps the machine busy by itself.

func TestNothingIsLost(t *testing.T) {
	v, err := chaos.Run(t.Context(), chaos.Options{Records: 3_000, Seed: 1, Dir: t.TempDir(), Log: logTo{t}})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(v)
	if err := v.Err(); err != nil {
		t.Error(err)
	}
	// Six steps of a drainer, two of a bridge, one of ingest, and Redis.
	if v.Acked < 3_000 || v.Archived != v.Acked || v.Kills < 10 || v.Missed > 0 || v.FailedCalls == 0 || v.Fallbacks == 0 {
		t.Errorf("the run was not what it should be: %+v", v)
	}
}

func TestTheSuiteReportsLosses(t *testing.T) {
	v, err := chaos.Run(t.Context(), chaos.Options{
		Records: 1_000, Seed: 1, Dir: t.TempDir(), Log: logTo{t},
		Drainer: "./internal/chaos/hasty", Faults: regexp.MustCompile("^kill a drainer before put$"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(v)
	if v.Lost == 0 || v.Archived != v.Acked-v.Lost || v.Err() == nil || !strings.Contains(v.Err().Error(), "records are lost") {
		t.Errorf("a drainer that acknowledges before it puts was killed between the two: lost %d, %v", v.Lost, v.Err())
	}
}

// logTo writes to the test's log.
type logTo struct{ t *testing.T }

func (l logTo) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}
