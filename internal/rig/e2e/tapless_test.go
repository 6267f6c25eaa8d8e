//go:build e2e

package e2e_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// tapless is a stream without a tap.
const tapless = "quiet"

// testWithoutTap sends to a stream without a tap, and verifies its records by the log of
// the drainer.
func (d *deployment) testWithoutTap(t *testing.T) {
	if slices.Contains(d.taps(t), stackName+"."+tapless) {
		t.Error("a stream without a tap has a Kinesis stream")
	}
	d.send(t, tapless, text("without a tap"))
	d.archive.awaitAll(t, swept)
	d.mustVerify(t)
}

// testChangeTap takes the tap away from a stream and gives it back, with a record at each
// step.
func (d *deployment) testChangeTap(t *testing.T) {
	const name = "orders"
	for _, tt := range []struct {
		tap    stream.Tap
		exists bool
	}{{stream.TapEnding, true}, {stream.TapOff, false}, {stream.TapOn, true}} {
		for i := range d.streams.Streams {
			if d.streams.Streams[i].Name == name {
				d.streams.Streams[i].Tap = tt.tap
			}
		}
		d.deploySmall(t)
		if exists := slices.Contains(d.taps(t), stackName+"."+name); exists != tt.exists {
			t.Errorf("tap %s: a Kinesis stream exists: %v, want %v", tt.tap, exists, tt.exists)
		}
		d.send(t, name, text("with tap "+string(tt.tap)))
		d.archive.awaitAll(t, swept)
	}
	d.mustVerify(t)
}

// mustVerify lets the verifier compare the logs of the drainer and of the bridge with the
// archive.
func (d *deployment) mustVerify(t *testing.T) {
	t.Helper()
	d.awaitLogged(t, slices.Collect(maps.Keys(d.archive.accepted))...)
	answer, i := d.verify(t)
	if i.failure != "" {
		t.Fatalf("%s\n%s", i.failure, i.log)
	}
	for _, s := range d.streams.Streams {
		if r, want := answer.Streams[s.Name], len(d.archive.accepted[s.Name]); r.Records != want || r.Differences != 0 {
			t.Errorf("%s: %+v, want %d records\n%s", s.Name, r, want, i.log)
		}
	}
}
