package chaos

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestASeedDeterminesTheSchedule(t *testing.T) {
	t.Parallel()
	faults := []fault{{name: "a"}, {name: "b"}, {name: "c"}, {name: "d"}, {name: "e"}}
	names := func(seed uint64) []string {
		var all []string
		for _, p := range plan(faults, 3, newRandom(seed, 3)) {
			all = append(all, fmt.Sprint(p.name, p.seed))
		}
		return all
	}
	if diff := cmp.Diff(names(5), names(5)); diff != "" {
		t.Errorf("the same seed twice differs:\n%s", diff)
	}
	if cmp.Equal(names(5), names(6)) || len(names(5)) != 15 {
		t.Errorf("two seeds give the same schedule, or not every fault in every round: %v", names(5))
	}
}
