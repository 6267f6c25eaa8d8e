package chaos

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
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

	// keys lets senders send every record with its idempotency key until it is
	// accepted. resent counts the records that were sent more than once, gaveUp those
	// that no try got accepted.
	keys           bool
	resent, gaveUp counter

	mu   sync.Mutex // guards the fields below
	rate int        // records a second; 0 is no limit
	due  time.Time  // of the next record
}

// run sends until ctx ends and all requests are answered.
func (l *load) run(ctx context.Context) {
	var wg sync.WaitGroup
	for range l.senders {
		wg.Go(func() {
			for l.awaitTurn(ctx) {
				l.send()
			}
		})
	}
	wg.Wait()
}

// awaitTurn waits until the rate allows another record, and reports whether ctx has
// not ended.
func (l *load) awaitTurn(ctx context.Context) bool {
	l.mu.Lock()
	// Do not catch up on records that were not sent in time.
	if late := time.Now().Add(-20 * time.Millisecond); l.due.Before(late) {
		l.due = late
	}
	if l.rate > 0 {
		l.due = l.due.Add(time.Second / time.Duration(l.rate))
	}
	due := l.due
	l.mu.Unlock()
	return backoff.Sleep(ctx, time.Until(due))
}

// setRate limits the records a second, without a limit if rate is 0, and returns the
// old limit.
func (l *load) setRate(rate int) (old int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, l.rate = l.rate, rate
	return old
}

// atFullSpeed sends records without a limit while do runs.
func (l *load) atFullSpeed(do func()) {
	old := l.setRate(0)
	do()
	l.setRate(old)
}

// await sends at full speed until a number of records is acknowledged.
func (l *load) await(ctx context.Context, acked int) {
	l.atFullSpeed(func() {
		for ctx.Err() == nil && l.ledger.ackedCount() < acked {
			backoff.Sleep(ctx, time.Millisecond)
		}
	})
}

// send sends one record and records whether it was acknowledged.
func (l *load) send() {
	r := l.ledger.next()
	sent := time.Now()
	if r.kind == undecodable {
		if _, err := l.queue.Push(context.Background(), r.stream.Name, notEnvelope(r), 0); err == nil {
			l.accept(r.n, sent)
		}
		return
	}
	if l.keys {
		l.sendUntilAccepted(r)
		return
	}
	l.post(r, authorization)
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

// event returns the API Gateway event of a record.
func (l *load) event(r record, authorization string) []byte {
	path := "/archives/" + r.stream.Name
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "POST /archives/{stream}", RawPath: path,
		Headers: map[string]string{"authorization": authorization},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RequestID: strconv.Itoa(r.n), Stage: "$default",
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: http.MethodPost, Path: path},
		},
		PathParameters: map[string]string{"stream": r.stream.Name},
	}
	if r.partitionKey != "" {
		e.RawQueryString = url.Values{"partition_key": {r.partitionKey}}.Encode()
	}
	if l.keys {
		e.Headers["idempotency-key"] = idempotencyKey(r.n)
	}
	body := r.body
	if r.gzipped {
		body = compressed(body)
		e.Headers["content-encoding"], e.Headers["content-type"] = "application/gzip", "application/octet-stream"
	}
	if r.asText {
		e.Body = string(body)
	} else {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	event, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return event
}

func compressed(b []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.StatelessCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	_, _ = w.Write(b) // to memory
	_ = w.Close()
	return out.Bytes()
}
