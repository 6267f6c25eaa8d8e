package chaos

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAPartitionMayLoseOnlyWhatItsPrimaryAcceptedAlone(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	at := func(s int) time.Time { return begun.Add(time.Duration(s) * time.Second) }
	for _, tt := range []struct {
		name        string
		minReplicas int
		partitioned []int
		others      []int
	}{
		{"without min-replicas-to-write", 0, []int{2, 3, 4}, []int{1, 5}},
		{"with min-replicas-to-write", 1, []int{2, 3}, []int{4, 1, 5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPartitions()
			w := &window{minReplicas: tt.minReplicas, begun: begun, partitioned: at(1), ended: at(20)}
			p.windows = append(p.windows, w)
			p.accepted(1, at(-2), at(-1))
			p.accepted(2, at(-1), at(1)) // under way when the window begins
			p.accepted(3, at(2), at(2))
			p.accepted(4, at(18), at(21)) // under way when the window ends
			p.accepted(5, at(21), at(22))
			partitioned, others := p.split([]int{2, 3, 4, 1, 5})
			if diff := cmp.Diff(tt.partitioned, partitioned); diff != "" {
				t.Errorf("records that the partition may lose differ (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.others, others); diff != "" {
				t.Errorf("other lost records differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARefusalFollowsTheFirstRecord(t *testing.T) {
	t.Parallel()
	first, second := makeRecord(1, 0).body, makeRecord(1, 3).body
	both := append(append([]byte(nil), second...), first...)
	r := new(refusal)
	if r.refuses(first) {
		t.Error("a refusal that is not armed refuses a record")
	}
	r.arm(true)
	var got []bool
	for _, data := range [][]byte{first, second, both} {
		got = append(got, r.refuses(data))
	}
	if diff := cmp.Diff([]bool{true, false, true}, got); diff != "" {
		t.Errorf("refused records differ (-want +got):\n%s", diff)
	}
	if met := r.arm(false); met != 2 {
		t.Errorf("%d refusals, want 2", met)
	}
	if r.refuses(first) {
		t.Error("a refusal that has ended refuses a record")
	}
}
