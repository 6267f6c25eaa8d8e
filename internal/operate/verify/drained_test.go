package verify_test

import (
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/google/go-cmp/cmp"
)

// While a tap ends, both the bridge and the drainer put to Firehose.
func TestWhatBridgeAndDrainerSentIsEqual(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bridged("a", "b")
	w.drained("c")
	w.deliver(0)
	w.drained("d", "e")
	w.drained("d", "e") // the same bytes again are other records
	w.bridged("f")
	w.deliver(1)
	c := w.config()
	for _, withTap := range []bool{false, true} {
		if withTap {
			c.Tap = w.readTap
		}
		r := run(t, c)
		if !r.Equal() {
			t.Errorf("with the tap %v: findings %v, want none", withTap, r.Findings)
		}
		want := map[string]verify.Count{
			"bridged": {Records: 3, Bytes: 6, Packed: 2}, "drained": {Records: 5, Bytes: 10, Packed: 3}, "archived": {Records: 8, Bytes: 16, Packed: 5},
		}
		if diff := cmp.Diff(want, map[string]verify.Count{"bridged": r.Bridged, "drained": r.Drained, "archived": r.Archived}); diff != "" {
			t.Errorf("with the tap %v: counts (-want +got):\n%s", withTap, diff)
		}
	}
}

func TestARecordOfTheDrainerThatIsInNoObjectIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.drained("a")
	w.deliver(0)
	w.drained("b", "c")
	r := run(t, w.config())
	if len(r.Findings) != 1 || r.Findings[0].Kind != verify.Missing || r.Findings[0].Records != 2 {
		t.Fatalf("findings %v, want two missing records", r.Findings)
	}
	if got, want := r.Findings[0].Detail, "2 records, 4 bytes in 1 packed record logged from "; !strings.HasPrefix(got, want) {
		t.Errorf("the finding says %q, want %q", got, want)
	}
}
