package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"golang.org/x/sync/errgroup"
)

// batchLines is the number of lines of the batches: one part.
const batchLines = 500

// batchBody returns lines of a size, including the newline.
func batchBody(size int) []byte {
	line := append(jsonBody(size-1), '\n')
	return bytes.Repeat(line, batchLines)
}

// batchEvent returns the event of a batch.
func batchEvent(body []byte) []byte {
	return bytes.Replace(postEvent(body, false), []byte(`"stream":"orders"`), []byte(`"stream":"orders/batch"`), 1)
}

// batches are the sizes of lines that are measured.
var batches = []struct {
	suffix string
	size   int
}{{"", 1 << 10}, {".100b", 100}}

// ingestBatch measures the lines a second that one client sends in batches. The
// floor pushes the lines of the body with one RPUSH.
func ingestBatch(l *lab, rounds int) ([]figure, error) {
	accept, err := l.queueing(noWaker{})
	if err != nil {
		return nil, err
	}
	client := l.floorClient()
	push := func(stream string, body []byte) error {
		lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
		values := make([]any, len(lines))
		for i, line := range lines {
			values[i] = line
		}
		return client.RPush(l.ctx, queueKey(stream), values...).Err()
	}
	var pairs [][2]side
	for _, b := range batches {
		event, name := batchEvent(batchBody(b.size)), "ingest.batch"+b.suffix
		pairs = append(pairs, [2]side{
			l.rateOf(name, "lines/s", l.few(200), batchLines, func() error { return accept(event) }),
			l.rateOf(name, "lines/s", l.few(200), batchLines, func() error { return invokeFloor(event, push) }),
		})
	}
	return compare(rounds, pairs...)
}

// ingestBatchCPU measures the time of a line without Redis. The floor decodes the
// event.
func ingestBatchCPU(l *lab, rounds int) ([]figure, error) {
	var pairs [][2]side
	for _, b := range batches {
		pairs = append(pairs, l.compareDecoding("ingest.batch.cpu"+b.suffix, 200, batchLines, batchEvent(batchBody(b.size))))
	}
	return compare(rounds, pairs...)
}

// keyedEvent returns the event of a POST with an idempotency key, and a function that
// changes the key in place.
func keyedEvent(body []byte) (event []byte, next func()) {
	const placeholder = "key-0000000000000000"
	event = bytes.Replace(postEvent(body, true), []byte(`"host":`), []byte(`"idempotency-key":"`+placeholder+`","host":`), 1)
	digits := event[bytes.Index(event, []byte(placeholder))+len("key-"):][:16]
	n := uint64(0)
	return event, func() {
		n++
		copy(digits, fmt.Sprintf("%016d", n))
	}
}

// ingestKey measures a request with a new idempotency key. The floor is the same
// request without a key.
func ingestKey(l *lab, rounds int) ([]figure, error) {
	accept, err := l.queueing(noWaker{})
	if err != nil {
		return nil, err
	}
	plain := postEvent(jsonBody(1<<10), true)
	keyed, next := keyedEvent(jsonBody(1 << 10))
	before := func() error {
		next()
		return nil
	}
	return l.compareLatency(rounds, "ingest.invoke.key", 500, before, [2]func() error{
		func() error { return accept(keyed) },
		func() error { return accept(plain) },
	})
}

// keyMemory measures the memory of Redis for a remembered key. The floor is a field
// of a hash with the same bytes.
func keyMemory(l *lab, rounds int) ([]figure, error) {
	q, err := l.openQueue(time.Hour)
	if err != nil {
		return nil, err
	}
	encoded := envelopeOf(orders, []byte("x"))
	// A short run has enough keys for a real hash table, but not for a stable figure.
	n := max(l.few(queue.RememberedKeys/2), 1000)
	perKey := func(add func(key queue.IdempotencyKey) error) side {
		return func() ([]measure, error) {
			before, err := l.usedMemory()
			if err != nil {
				return nil, err
			}
			for i := range n {
				var key queue.IdempotencyKey
				copy(key.Digest[:], fmt.Sprintf("%016d", i))
				if err := add(key); err != nil {
					return nil, err
				}
			}
			if err := l.raw.Del(l.ctx, queueKey(orders)).Err(); err != nil { // the records
				return nil, err
			}
			after, err := l.usedMemory()
			return []measure{{"ingest.key.memory", "B", (after - before) / float64(n)}}, errors.Join(err, l.empty(""))
		}
	}
	return compare(rounds, [2]side{
		perKey(func(key queue.IdempotencyKey) error {
			_, err := q.PushPart(l.ctx, orders, queue.Part{Envelopes: [][]byte{encoded}, Key: &key}, 0)
			return err
		}),
		perKey(func(key queue.IdempotencyKey) error {
			return l.raw.HSet(l.ctx, "floor", key.Digest[:], append(key.Fingerprint[:], '1')).Err()
		}),
	})
}

// usedMemory returns used_memory of Redis.
func (l *lab) usedMemory() (float64, error) {
	info, err := l.raw.InfoMap(l.ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(info["Memory"]["used_memory"], 64)
}

// neighbourP99 measures another stream's push, every 2 ms, beside full batches of one
// client that sends without a pause. The floor is the push beside claims of the same
// size.
func neighbourP99(l *lab, rounds int) ([]figure, error) {
	q, err := l.openQueue(time.Hour)
	if err != nil {
		return nil, err
	}
	encoded := envelopeOf(orders, jsonBody(1<<10))
	part := queue.Part{Envelopes: make([][]byte, batchLines)}
	for i := range part.Envelopes {
		part.Envelopes[i] = encoded
	}
	pushPart := func() error {
		_, err := q.PushPart(l.ctx, orders, part, 0)
		return err
	}
	claims := 0
	claim := func() error {
		claims++
		c, err := q.Claim(l.ctx, orders, strconv.Itoa(claims), time.Minute, batchLines, queue.MaxPartBytes)
		if err != nil || len(c.Envelopes) == 0 {
			return err
		}
		_, err = q.Ack(l.ctx, c, nil)
		return err
	}
	calls := max(l.few(500), 20)
	beside := func(prepare, busy func() error) side {
		return func() ([]measure, error) {
			if err := prepare(); err != nil {
				return nil, err
			}
			var over atomic.Bool
			var group errgroup.Group
			group.Go(func() error {
				for !over.Load() {
					if err := busy(); err != nil {
						return err
					}
				}
				return nil
			})
			took := make([]float64, 0, calls)
			group.Go(func() error {
				defer over.Store(true)
				for due := range time.Tick(2 * time.Millisecond) {
					if _, err := q.Push(l.ctx, streamName(1), encoded, 0); err != nil {
						return err
					}
					took = append(took, time.Since(due).Seconds()*1e6) // with the delay by the call before
					if len(took) == calls {
						break
					}
				}
				return nil
			})
			if err := group.Wait(); err != nil {
				return nil, err
			}
			return []measure{{"ingest.neighbour.p99", "us", percentile(took, 99)}}, l.empty("")
		}
	}
	// A call takes at least 2 ms and a claim about 1 ms, so the queue lasts.
	fill := func() error {
		for range 2 * calls {
			if err := pushPart(); err != nil {
				return err
			}
		}
		return nil
	}
	return compare(rounds, [2]side{beside(func() error { return nil }, pushPart), beside(fill, claim)})
}
