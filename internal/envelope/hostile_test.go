package envelope_test

import (
	"encoding/hex"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/envelope"
)

// An envelope that says it has gigabytes, or billions of elements, is refused
// for what it has.
func TestLengthsThatLieCostNoMemory(t *testing.T) { // not parallel: it measures the whole process
	const stream, at, id, key = "a16f", "d6ff6922efe1", "a169", "a0"
	for name, digits := range map[string]string{
		"array":                   "ddffffffff" + stream,
		"array of any number":     "dd7fffffff" + stream + at + id + key,
		"stream":                  "95" + "dbffffffff" + "6f",
		"stream, signed":          "95" + "db80000000" + "6f",
		"time":                    "95" + stream + "c9ffffffffff" + "6922efe1",
		"time of another length":  "95" + stream + "c9000000ffff" + "6922efe1",
		"time of no length":       "95" + stream + "c700ff" + id + key + "c400",
		"id":                      "95" + stream + at + "dbffffffff" + "69",
		"partition key":           "95" + stream + at + id + "dbffffffff",
		"body":                    "95" + stream + at + id + key + "c6ffffffff" + "62",
		"body, signed":            "95" + stream + at + id + key + "c680000000" + "62",
		"nested arrays":           strings.Repeat("95", 1<<20),
		"nested, after the fifth": "95" + stream + at + id + key + "c400" + strings.Repeat("91", 1<<20),
	} {
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = envelope.Decode(b)
		runtime.ReadMemStats(&after)
		if err == nil || len(err.Error()) > 300 {
			t.Errorf("%s: Decode = %.400v, want a short error", name, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Errorf("%s: Decode of %d bytes allocated %d", name, len(b), got)
		}
	}
}

// What a later version appends is not even looked at, however deep it is.
func TestWhatALaterVersionAppendsMayBeAnything(t *testing.T) {
	t.Parallel()
	b, err := envelope.Encode(envelope.Record{Stream: "orders", ID: "i", ReceivedAt: time.Unix(1, 0), Body: []byte("b")})
	if err != nil {
		t.Fatal(err)
	}
	b[0] = 0x96 // an array of six
	for _, appended := range []string{strings.Repeat("\x91", 1<<20), "\xc1", "\xdd\xff\xff\xff\xff", "\xc6\xff\xff\xff\xff", ""} {
		r, err := envelope.Decode(append(b[:len(b):len(b)], appended...))
		if err != nil || string(r.Body) != "b" {
			t.Errorf("Decode with %.10q appended = %q, %v, want the record", appended, r.Body, err)
		}
	}
}
