package chaos_test

import (
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/rig/chaos"
)

func TestTheLastLineOfAVerdictHasAFixedForm(t *testing.T) {
	t.Parallel()
	v := chaos.Verdict{Acked: 50_000, Archived: 49_998, Lost: 2, Duplicates: 17, Kills: 10, Faults: 50}
	lines := strings.Split(v.String(), "\n")
	const want = "chaos: acked=50000 archived=49998 lost=2 duplicates=17 kills=10 faults=50"
	if got := lines[len(lines)-1]; got != want {
		t.Errorf("last line %q, want %q", got, want)
	}
}

func TestAVerdictWithAProblemIsAnError(t *testing.T) {
	t.Parallel()
	good := chaos.Verdict{Acked: 9, Archived: 9, Duplicates: 15, Bound: chaos.Bound{Claims: 1, Puts: 2, Firehose: 3, Batches: 4, Pushes: 5}}
	if err := good.Err(); err != nil {
		t.Errorf("%+v: %v", good, err)
	}
	for why, change := range map[string]func(*chaos.Verdict){
		"a loss":              func(v *chaos.Verdict) { v.Lost = 1 },
		"too many duplicates": func(v *chaos.Verdict) { v.Duplicates = 16 },
		"a problem":           func(v *chaos.Verdict) { v.Problems = []string{"a body differs"} },
	} {
		v := good
		if change(&v); v.Err() == nil {
			t.Errorf("%s: no error", why)
		}
	}
}
