package chaos

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/data-sink/data-sink/internal/pipeline/backoff"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/rig/lambdatest"
)

// load sends records with a fixed number of senders. A record that was not
// acknowledged is never sent again, because it may have been kept.
type load struct {
	ingest  *lambdatest.Function
	senders int
	queue   *queue.Queue
	ledger  *ledger
	// partitions records what is accepted during a partition of Redis.
	partitions *partitions

	// goal is the number of acknowledged records at which the load pauses.
	goal atomic.Int64
	// rate limits the records per second; 0 is no limit. With a rate, a quarter of
	// the load continues beyond the goal, so that there is load for as long as a
	// fault lasts.
	rate atomic.Int64
	// keys lets senders send every record with its idempotency key until it is
	// accepted. resent counts the records that were sent more than once, gaveUp those
	// that no try got accepted.
	keys           bool
	resent, gaveUp counter
	// refused counts records that were not acknowledged.
	refused counter

	tokens chan struct{}
}

func newLoad(ingest *lambdatest.Function, senders int, q *queue.Queue, l *ledger, p *partitions) *load {
	return &load{ingest: ingest, senders: senders, queue: q, ledger: l, partitions: p, tokens: make(chan struct{})}
}

// run sends until ctx ends and all requests are answered.
func (l *load) run(ctx context.Context) {
	var wg sync.WaitGroup
	for range l.senders {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-l.tokens:
					l.send()
				}
			}
		})
	}
	l.feed(ctx)
	wg.Wait()
}

// feed hands out a token for each record to send.
func (l *load) feed(ctx context.Context) {
	next := time.Now()
	for ctx.Err() == nil {
		rate := l.rate.Load()
		if int64(l.ledger.ackedCount()) >= l.goal.Load() {
			if rate == 0 {
				backoff.Sleep(ctx, time.Millisecond)
				continue
			}
			rate = max(1, rate/4)
		}
		if rate > 0 {
			// Do not catch up on records that were not sent in time.
			if late := time.Now().Add(-20 * time.Millisecond); next.Before(late) {
				next = late
			}
			next = next.Add(time.Second / time.Duration(rate))
			if wait := time.Until(next); wait > time.Millisecond {
				backoff.Sleep(ctx, wait)
			}
		}
		select {
		case l.tokens <- struct{}{}:
		case <-ctx.Done():
		}
	}
}

// send sends one record and records whether it was acknowledged.
func (l *load) send() {
	r := l.ledger.next()
	sent := time.Now()
	if r.kind == undecodable {
		if _, err := l.queue.Push(context.Background(), r.stream.Name, notEnvelope(r), 0); err == nil {
			l.accept(r.n, sent)
		} else {
			l.refused.Add(1)
		}
		return
	}
	if l.keys {
		l.sendUntilAccepted(r)
		return
	}
	if status, _ := l.post(r, authorization); status != http.StatusAccepted {
		l.refused.Add(1)
	}
}

// post sends a record with an Authorization header, and returns the status (0 if
// there was no answer) and the id. It records an accepted record in the ledger.
func (l *load) post(r record, authorization string) (status int, id string) {
	sent := time.Now()
	answer, err := l.ingest.Invoke(context.Background(), l.event(r, authorization))
	var response struct {
		StatusCode int    `json:"statusCode"`
		Body       string `json:"body"`
	}
	if err != nil || json.Unmarshal(answer, &response) != nil {
		return 0, ""
	}
	if response.StatusCode == http.StatusAccepted {
		l.accept(r.n, sent)
		var accepted struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal([]byte(response.Body), &accepted) // a missing id shows up in the tests
		id = accepted.ID
	}
	return response.StatusCode, id
}

// accept records that record n, sent at a time, was accepted just now.
func (l *load) accept(n int, sent time.Time) {
	l.partitions.accepted(n, sent, time.Now())
	l.ledger.ack(n)
}

var authorization = basic(clientName, clientPass)

// basic returns an Authorization header for Basic authentication.
func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// event builds the API Gateway event of a record.
func (l *load) event(r record, authorization string) []byte {
	body, headers := r.body, ""
	if l.keys {
		headers = `,"idempotency-key":"` + idempotencyKey(r.n) + `"`
	}
	if r.gzipped {
		body, headers = compressed(body), headers+`,"content-encoding":"application/gzip","content-type":"application/octet-stream"`
	}
	e := make([]byte, 0, 1024+len(body)*4/3)
	e = append(e, `{"version":"2.0","routeKey":"POST /archives/{stream}","rawPath":"/archives/`+r.stream.Name+`","rawQueryString":"`...)
	if r.partitionKey != "" {
		e = append(e, "partition_key="+string(bytes.ReplaceAll([]byte(r.partitionKey), []byte(" "), []byte("+")))...)
	}
	e = append(e, `","headers":{"authorization":"`+authorization+`"`+headers+`},"requestContext":{"requestId":"`...)
	e = strconv.AppendInt(e, int64(r.n), 10)
	e = append(e, `","stage":"$default","http":{"method":"POST","path":"/archives/`+r.stream.Name+`"}},"pathParameters":{"stream":"`+r.stream.Name...)
	if r.asText {
		text, err := json.Marshal(string(body))
		if err != nil {
			panic(err) // a string always has a JSON form
		}
		return append(append(append(e, `"},"isBase64Encoded":false,"body":`...), text...), '}')
	}
	e = append(e, `"},"isBase64Encoded":true,"body":"`...)
	return append(base64.StdEncoding.AppendEncode(e, body), `"}`...)
}

var compressors = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

func compressed(b []byte) []byte {
	w := compressors.Get().(*gzip.Writer)
	defer compressors.Put(w)
	var out bytes.Buffer
	w.Reset(&out)
	_, _ = w.Write(b) // to memory
	_ = w.Close()
	return out.Bytes()
}

// await sends at full speed until the goal is reached.
func (l *load) await(ctx context.Context) {
	l.rate.Store(0)
	for ctx.Err() == nil && int64(l.ledger.ackedCount()) < l.goal.Load() {
		backoff.Sleep(ctx, time.Millisecond)
	}
}
