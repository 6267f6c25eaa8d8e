package chaos

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/proto"
	"github.com/google/go-cmp/cmp"
)

func TestReadRESPReturnsTheBytesItRead(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2*shortText)
	stream := "*2\r\n:17\r\n*2\r\n$5\r\nhello\r\n$" + fmt.Sprint(len(long)) + "\r\n" + long + "\r\n" +
		"-NOSCRIPT no\r\n$-1\r\n*-1\r\n%1\r\n+key\r\n_\r\n>2\r\n+push\r\n:1\r\n|1\r\n+a\r\n+b\r\n:5\r\n"
	r := bufio.NewReader(strings.NewReader(stream))
	var all []byte
	var got []string
	for range 7 {
		v, raw, err := readRESP(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, raw...)
		got = append(got, fmt.Sprintf("%c%s%d", v.kind, v.text, len(v.items)))
	}
	if string(all) != stream {
		t.Errorf("read %q, want %q", all, stream)
	}
	if diff := cmp.Diff([]string{"*2", "-NOSCRIPT no0", "$0", "*0", "%2", ">2", ":50"}, got); diff != "" {
		t.Errorf("values differ (-want +got):\n%s", diff)
	}
	if _, _, err := readRESP(bufio.NewReader(strings.NewReader("$5\r\nhel")), nil); err == nil {
		t.Error("a truncated value: no error")
	}
}

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

func TestParseCommandRecognisesTheScriptsOfADrainer(t *testing.T) {
	t.Parallel()
	k := func(suffix string) string { return "d:{orders}:" + suffix }
	for _, c := range []struct {
		args []string
		want command
	}{
		{[]string{"evalsha", "sha", "4", k("queue"), k("claims"), k("claim:a.1"), k("stats"), "a.1", "3000", "50", "262144"}, command{verb: claimVerb, claim: k("claim:a.1")}},
		{[]string{"eval", "source", "3", k("claims"), k("claim:a.1"), k("stats"), "a.1", "5", "5", "0", "0"}, command{verb: settleVerb, claim: k("claim:a.1")}},
		{[]string{"evalsha", "sha", "4", k("queue"), k("claims"), k("claim:a.1"), k("stats"), "a.1", "2", "0", "1"}, command{verb: settleVerb, claim: k("claim:a.1"), left: 2}},
		{[]string{"evalsha", "sha", "4", k("queue"), k("claims"), k("claim:a.1"), k("stats"), "a.1"}, command{claim: k("claim:a.1")}},
		{[]string{"hello", "3"}, command{}},
		{[]string{"cluster", "slots"}, command{verb: slotsVerb}},
	} {
		var raw bytes.Buffer
		if err := proto.Write(&raw, c.args); err != nil {
			t.Fatal(err)
		}
		v, _, err := readRESP(bufio.NewReader(&raw), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := hurried().leasing.parseCommand(v); got != c.want {
			t.Errorf("parseCommand(%v) = %+v, want %+v", c.args, got, c.want)
		}
	}
}
