package main

import (
	"bytes"
	"runtime"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/envelope"
)

// envelopes measures encoding and decoding of a record of 1 KiB. The floor is a copy
// of its bytes.
func envelopes(l *lab, rounds int) ([]figure, error) {
	record := envelope.Record{Stream: orders, ReceivedAt: time.Now(), ID: newID(), Body: randomBody(1 << 10)}
	encoded, err := envelope.Encode(record)
	if err != nil {
		return nil, err
	}
	clone := func() error {
		runtime.KeepAlive(bytes.Clone(encoded)) // or the compiler removes the copy
		return nil
	}
	encode := func() error {
		_, err := envelope.Encode(record)
		return err
	}
	decode := func() error {
		_, err := envelope.Decode(encoded)
		return err
	}
	n := l.few(50_000)
	return compare(
		rounds,
		[2]side{costOf("envelope.encode", n, 1, encode), costOf("envelope.encode", n, 1, clone)},
		[2]side{costOf("envelope.decode", n, 1, decode), costOf("envelope.decode", n, 1, clone)},
	)
}
