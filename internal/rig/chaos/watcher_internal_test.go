package chaos

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/proto"
)

func TestClaimsThatAreNotSettledCountAsDuplicates(t *testing.T) {
	t.Parallel()
	p := new(problems)
	table := newClaimTable(p, lease)
	long := time.Now().Add(-2 * lease)
	for id, c := range map[string]struct {
		records int
		since   time.Time
	}{"settled": {1, long}, "late": {2, long}, "killed": {4, long}, "never": {8, long}, "taken": {16, time.Now()}} {
		table.claimed(id, "DRAINER-"+id, c.records, c.since)
	}
	for id, held := range map[string]bool{"settled": true, "late": false, "taken": false} {
		table.asked(id, 0, false)
		table.settled(id, held)
	}
	table.ended("DRAINER-killed")
	if unsettled, _ := table.total(); unsettled != 2+4+8+16 {
		t.Errorf("%d records may come twice, want %d", unsettled, 2+4+8+16)
	}
	if all := p.all(); len(all) != 1 || !strings.Contains(all[0], "taken of 16 records was taken") {
		t.Errorf("problems %v, want the claim that was taken before its lease ended", all)
	}
}

func TestParseCommandRecognizesTheScriptsOfADrainer(t *testing.T) {
	t.Parallel()
	k := func(suffix string) string { return "d:{orders}:" + suffix }
	for _, c := range []struct {
		args []string
		want command
	}{
		{[]string{"evalsha", "sha", "4", k("queue"), k("claims"), k("claim:a.1"), k("stats"), "a.1", "3000", "50", "262144"}, command{verb: claimVerb, claim: k("claim:a.1")}},
		{[]string{"eval", "source", "3", k("claims"), k("claim:a.1"), k("stats"), "a.1", "5", "5", "0", "0"}, command{verb: settleVerb, claim: k("claim:a.1")}},
		{[]string{"evalsha", "sha", "4", k("queue"), k("claims"), k("claim:a.1"), k("stats"), "a.1", "2", "0", "1"}, command{verb: settleVerb, claim: k("claim:a.1"), left: 2}},
		{[]string{"evalsha", "sha", "4", k("queue"), k("claims"), k("claim:a.1"), k("stats"), "a.1"}, command{}},
		{[]string{"hello", "3"}, command{}},
		{[]string{"cluster", "slots"}, command{verb: slotsVerb}},
	} {
		var raw bytes.Buffer
		if err := proto.Write(&raw, c.args); err != nil {
			t.Fatal(err)
		}
		if got := hurried().leasing.parseCommand(raw.String()); got != c.want {
			t.Errorf("parseCommand(%v) = %+v, want %+v", c.args, got, c.want)
		}
	}
}

func TestRepliesAreRecognized(t *testing.T) {
	t.Parallel()
	for reply, want := range map[string]int{"*2\r\n:17\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n": 2, "*2\r\n:17\r\n*0\r\n": 0, "-OOM\r\n": 0, "_\r\n": 0} {
		if got := claimed(reply); got != want {
			t.Errorf("claimed(%q) = %d, want %d", reply, got, want)
		}
	}
	if status, ok := pushed("*3\r\n:3\r\n:9\r\n$2\r\nid\r\n"); status != 3 || !ok {
		t.Errorf("pushed = %d, %v, want 3", status, ok)
	}
	if _, ok := pushed("-OOM\r\n"); ok {
		t.Error("an error is the reply to a push")
	}
}
