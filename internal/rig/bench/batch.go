package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
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
	q, err := l.openQueue(l.redis.URL, time.Hour)
	if err != nil {
		return nil, err
	}
	config := ingestConfig()
	config.Queue = q
	h := ingest.New(config)
	ctx, cancel := invocation(3600)
	defer cancel()
	client := l.floorClient("tcp", l.redis.Addr)
	push := func(stream string, body []byte) error {
		lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
		values := make([]any, len(lines))
		for i, line := range lines {
			values[i] = line
		}
		return client.RPush(context.Background(), queueKey(stream), values...).Err()
	}
	var all []figure
	for _, b := range batches {
		event := batchEvent(batchBody(b.size))
		rate := func(call func() error) side {
			return func() ([]measure, error) {
				n := max(l.few(200), 2)
				began := time.Now()
				for range n {
					if err := call(); err != nil {
						return nil, err
					}
				}
				perSecond := float64(n*batchLines) / time.Since(began).Seconds()
				return []measure{{"ingest.batch" + b.suffix, "lines/s", perSecond}}, l.empty("")
			}
		}
		figures, err := compare(rounds, rate(func() error { return invokeOurs(ctx, h, event) }), rate(func() error {
			_, err := invokeFloor(event, push)
			return err
		}))
		if err != nil {
			return nil, err
		}
		all = append(all, figures...)
	}
	return all, nil
}

// ingestBatchCPU measures the time of a line without Redis. The floor decodes the
// event.
func ingestBatchCPU(l *lab, rounds int) ([]figure, error) {
	config := ingestConfig()
	config.Queue = noQueue{}
	h := ingest.New(config)
	ctx, cancel := invocation(3600)
	defer cancel()
	var all []figure
	for _, b := range batches {
		event := batchEvent(batchBody(b.size))
		perLine := func(call func() error) side {
			return func() ([]measure, error) {
				ns, allocs, err := cost(max(l.few(200), 2), call)
				name := "ingest.batch.cpu" + b.suffix
				return []measure{{name, "ns", ns / batchLines}, {name + ".allocs", "allocs", allocs / batchLines}}, err
			}
		}
		figures, err := compare(rounds, perLine(func() error { return invokeOurs(ctx, h, event) }), perLine(func() error {
			_, err := decodeWithJSONParser(event)
			return err
		}))
		if err != nil {
			return nil, err
		}
		all = append(all, figures...)
	}
	return all, nil
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
	q, err := l.openQueue(l.redis.URL, time.Hour)
	if err != nil {
		return nil, err
	}
	config := ingestConfig()
	config.Queue = q
	h := ingest.New(config)
	ctx, cancel := invocation(3600)
	defer cancel()
	plain := postEvent(jsonBody(1<<10), true)
	keyed, next := keyedEvent(jsonBody(1 << 10))
	before := func() error {
		next()
		return nil
	}
	return l.compareLatency(rounds, "ingest.invoke.key", 500, before, func() error { return invokeOurs(ctx, h, keyed) }, func() error {
		return invokeOurs(ctx, h, plain)
	})
}

// keyMemory measures the memory of Redis for a remembered key. The floor is a field
// of a hash with the same bytes.
func keyMemory(l *lab, rounds int) ([]figure, error) {
	q, err := l.openQueue(l.redis.URL, time.Hour)
	if err != nil {
		return nil, err
	}
	encoded, err := envelope.Encode(envelope.Record{Stream: orders, ReceivedAt: time.Now(), ID: newID(), Body: []byte("x")})
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	// A short run has enough keys for a real hash table, but not for a stable figure.
	n := max(l.few(queue.RememberedKeys/2), 1000)
	perKey := func(add func(key queue.IdempotencyKey) error) side {
		return func() ([]measure, error) {
			before, err := usedMemory(ctx, l)
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
			if err := l.raw.Del(ctx, queueKey(orders)).Err(); err != nil { // the records
				return nil, err
			}
			after, err := usedMemory(ctx, l)
			return []measure{{"ingest.key.memory", "B", (after - before) / float64(n)}}, errors.Join(err, l.empty(""))
		}
	}
	return compare(rounds, perKey(func(key queue.IdempotencyKey) error {
		_, err := q.PushPart(ctx, orders, queue.Part{Envelopes: [][]byte{encoded}, Key: &key}, 0)
		return err
	}), perKey(func(key queue.IdempotencyKey) error {
		return l.raw.HSet(ctx, "floor", key.Digest[:], append(key.Fingerprint[:], '1')).Err()
	}))
}

// usedMemory returns used_memory of Redis.
func usedMemory(ctx context.Context, l *lab) (float64, error) {
	info, err := l.raw.Info(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(info, "used_memory:")
	value, _, _ := strings.Cut(rest, "\r\n")
	return strconv.ParseFloat(value, 64)
}

// neighbourP99 measures another stream's push, every 2 ms, beside full batches of one
// client that sends without a pause. The floor is the push beside claims of the same
// size.
func neighbourP99(l *lab, rounds int) ([]figure, error) {
	q, err := l.openQueue(l.redis.URL, time.Hour)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	encoded, err := envelope.Encode(envelope.Record{Stream: orders, ReceivedAt: time.Now(), ID: newID(), Body: jsonBody(1 << 10)})
	if err != nil {
		return nil, err
	}
	part := queue.Part{Envelopes: make([][]byte, batchLines)}
	for i := range part.Envelopes {
		part.Envelopes[i] = encoded
	}
	pushPart := func() error {
		_, err := q.PushPart(ctx, orders, part, 0)
		return err
	}
	claims := 0
	claim := func() error {
		claims++
		c, err := q.Claim(ctx, orders, strconv.Itoa(claims), time.Minute, batchLines, queue.MaxPartBytes)
		if err != nil || len(c.Envelopes) == 0 {
			return err
		}
		_, err = q.Ack(ctx, c, nil)
		return err
	}
	calls := max(l.few(500), 20)
	beside := func(prepare, busy func() error) side {
		return func() ([]measure, error) {
			if err := prepare(); err != nil {
				return nil, err
			}
			stop, ended := make(chan struct{}), make(chan error, 1)
			go func() {
				for {
					select {
					case <-stop:
						ended <- nil
						return
					default:
					}
					if err := busy(); err != nil {
						ended <- err
						return
					}
				}
			}()
			took := make([]float64, 0, calls)
			ticker := time.NewTicker(2 * time.Millisecond)
			defer ticker.Stop()
			for len(took) < calls {
				due := <-ticker.C
				if _, err := q.Push(ctx, streamName(1), encoded, 0); err != nil {
					return nil, err
				}
				took = append(took, time.Since(due).Seconds()*1e6) // with the delay by the call before
			}
			close(stop)
			if err := <-ended; err != nil {
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
	return compare(rounds, beside(func() error { return nil }, pushPart), beside(fill, claim))
}
