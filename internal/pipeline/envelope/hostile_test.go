package envelope_test

import (
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/envelope"
)

// The elements of a later version are not read, so their depth does not matter.
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
