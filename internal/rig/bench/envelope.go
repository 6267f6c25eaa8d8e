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
	side := func(name string, call func() error) side {
		return func() ([]measure, error) {
			ns, allocs, err := cost(l.few(50_000), call)
			return []measure{{name, "ns", ns}, {name + ".allocs", "allocs", allocs}}, err
		}
	}
	clone := func() error {
		runtime.KeepAlive(bytes.Clone(encoded)) // or the compiler removes the copy
		return nil
	}
	var all []figure
	for _, c := range []struct {
		name string
		call func() error
	}{
		{"envelope.encode", func() error {
			_, err := envelope.Encode(record)
			return err
		}},
		{"envelope.decode", func() error {
			_, err := envelope.Decode(encoded)
			return err
		}},
	} {
		figures, err := compare(rounds, side(c.name, c.call), side(c.name, clone))
		if err != nil {
			return nil, err
		}
		all = append(all, figures...)
	}
	return all, nil
}
