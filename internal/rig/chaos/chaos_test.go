package chaos_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/rig/chaos"
)

// bin is the folder of the bootstraps, which all tests share.
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

// The tests are not parallel, because each run uses the whole machine.

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
	wantComplete(t, v, 3_000)
	// Six steps of a drainer, two of a bridge, one of ingest, and Redis.
	wantAtLeast(t, "kills", v.Kills, 10)
	wantAtLeast(t, "failed calls", v.FailedCalls, 1)
	wantAtLeast(t, "fallback records", v.Fallbacks, 1)
}

func TestNothingIsLostInACluster(t *testing.T) {
	v := run(t, chaos.Options{Records: 2_000, Cluster: true, Faults: regexp.MustCompile("node|slot|Redis$|a drainer after")})
	wantComplete(t, v, 2_000)
	wantAtLeast(t, "kills", v.Kills, 4)
	wantAtLeast(t, "fallback records", v.Fallbacks, 1)
	wantAtLeast(t, "records that went through the queue", v.Acked-v.Fallbacks, v.Acked/2)
}

// wantComplete checks that every fault took place and every acknowledged record
// was archived.
func wantComplete(t *testing.T, v chaos.Verdict, records int) {
	t.Helper()
	if err := v.Err(); err != nil {
		t.Error(err)
	}
	wantAtLeast(t, "acknowledged records", v.Acked, records)
	if v.Archived+v.PartitionLost != v.Acked {
		t.Errorf("%d of %d acknowledged records are archived, and %d were lost in a partition", v.Archived, v.Acked, v.PartitionLost)
	}
	if v.Missed > 0 {
		t.Errorf("%d faults did not take place", v.Missed)
	}
}

func wantAtLeast(t *testing.T, what string, got, want int) {
	t.Helper()
	if got < want {
		t.Errorf("%s: %d, want at least %d", what, got, want)
	}
}

func TestWithoutFaultsTheBoundIsSmall(t *testing.T) {
	v := run(t, chaos.Options{Records: 1_000, Faults: regexp.MustCompile("^none$")})
	if err := v.Err(); err != nil {
		t.Error(err)
	}
	// A busy machine may not answer a push in time, and a caller may close the
	// connection as soon as it has the answer.
	if v.Bound.Sum() > v.Bound.Pushes+50 {
		t.Errorf("a run without faults allows duplicates: %+v", v.Bound)
	}
	if v.Kills+v.Faults+v.FailedCalls > 0 {
		t.Errorf("%d kills, %d faults, %d failed calls, want none", v.Kills, v.Faults, v.FailedCalls)
	}
	// One such record is sent. Firehose does not see it if it is a fallback record.
	if v.Unarchivable == 0 && v.Fallbacks == 0 {
		t.Errorf("no record that Firehose calls invalid is under failed/")
	}
}

func TestLossesAreReported(t *testing.T) {
	v := run(t, chaos.Options{
		Records: 1_000, Drainer: "internal/rig/chaos/hasty", Faults: regexp.MustCompile("^kill a drainer before put$"),
	})
	// The drainer acknowledges before it puts, and was killed between the two.
	wantAtLeast(t, "lost records", v.Lost, 1)
	if v.Archived != v.Acked-v.Lost {
		t.Errorf("%d of %d acknowledged records are archived and %d lost", v.Archived, v.Acked, v.Lost)
	}
	if err := v.Err(); err == nil || !strings.Contains(err.Error(), "records are lost") {
		t.Errorf("Err() = %v, want lost records", err)
	}
}

// logTo writes to the log of a test.
type logTo struct{ t *testing.T }

func (l logTo) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}
