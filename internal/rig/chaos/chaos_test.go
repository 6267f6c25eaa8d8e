package chaos_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/rig/chaos"
)

// bin has the bootstraps for all tests.
var bin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "chaos-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bin = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// The runs are not parallel: each keeps the machine busy by itself.

func lab(t *testing.T) chaos.Lab {
	return chaos.Lab{Seed: 1, Bin: bin, Dir: t.TempDir(), Log: logTo{t}}
}

func run(t *testing.T, o chaos.Options) chaos.Verdict {
	t.Helper()
	o.Lab = lab(t)
	v, err := chaos.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(v)
	return v
}

func TestNothingIsLost(t *testing.T) {
	v := run(t, chaos.Options{Records: 3_000})
	if err := v.Err(); err != nil {
		t.Error(err)
	}
	// Six steps of a drainer, two of a bridge, one of ingest, and Redis.
	if v.Acked < 3_000 || v.Archived != v.Acked || v.Kills < 10 || v.Missed > 0 || v.FailedCalls == 0 || v.Fallbacks == 0 {
		t.Errorf("the run was not what it should be: %+v", v)
	}
}

func TestNothingIsLostInACluster(t *testing.T) {
	v := run(t, chaos.Options{Records: 2_000, Cluster: true, Faults: regexp.MustCompile("node|slot|Redis$|a drainer after")})
	if err := v.Err(); err != nil {
		t.Error(err)
	}
	if v.Acked < 2_000 || v.Archived != v.Acked || v.Kills < 4 || v.Missed > 0 || v.Fallbacks == 0 {
		t.Errorf("the run was not what it should be: %+v", v)
	}
}

func TestWithoutFaultsTheBoundIsNextToNothing(t *testing.T) {
	v := run(t, chaos.Options{Records: 1_000, Faults: regexp.MustCompile("^none$")})
	if err := v.Err(); err != nil {
		t.Error(err)
	}
	// The exceptions are pushes that a busy machine does not answer in time, and a
	// call whose caller closes the connection as soon as it has the answer.
	if v.Bound.Sum() > v.Bound.Pushes+50 || v.Kills+v.Faults+v.FailedCalls > 0 {
		t.Errorf("a run without faults allows duplicates: %+v", v)
	}
	// One is sent; what ingest wrote to the archive by itself Firehose never saw.
	if v.Unarchivable == 0 && v.Fallbacks == 0 {
		t.Errorf("nothing that Firehose calls invalid was found under failed/: %+v", v)
	}
}

func TestLossesAreReported(t *testing.T) {
	v := run(t, chaos.Options{
		Records: 1_000, Drainer: "./internal/rig/chaos/hasty", Faults: regexp.MustCompile("^kill a drainer before put$"),
	})
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
