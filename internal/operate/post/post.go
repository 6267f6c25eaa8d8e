// Package post posts bodies to the HTTP API for the operator's command. It sends
// requests concurrently and repeats those that may succeed later.
//
// A request without a response is repeated too, although the API may have accepted
// it. Each request has an idempotency key, by which the API recognises the repetition.
package post

import (
	"bytes"
	"cmp"
	"context"
	cryptorand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/data-sink/data-sink/internal/pipeline/backoff"
)

// Body is the body of one request.
type Body struct {
	// Stream is the name of the stream.
	Stream string
	// Lines is the number of lines of a batch, each of which becomes a record. The
	// lines must not be empty. A body with 0 lines becomes one record as a whole.
	Lines int
	// Key is the idempotency key. The default is a random key for each call of Post.
	Key string
	// PartitionKey chooses the shard; empty for none.
	PartitionKey string
	// Source and First are for the caller: the name of the input, and the position
	// of the first record in it.
	Source string
	First  int
	// Bytes are the body. Post and All do not modify them.
	Bytes []byte
	// Gzip compresses the request body. The API decompresses it for a stream of
	// format lines and stores it compressed for a raw stream.
	Gzip bool
	// Encoding is the Content-Encoding that Bytes already have; empty for none.
	Encoding string
}

// Client posts bodies. It is safe for concurrent use; its fields must not change
// after the first call.
type Client struct {
	// URL is the URL of the API, without /archives.
	URL            string
	User, Password string
	// HTTP sends the requests and has their timeout. The default has a timeout of
	// 35 s, which is longer than the 30 s of API Gateway.
	HTTP *http.Client
	// MaxAttempts is the maximum number of requests for one body. Default 10.
	MaxAttempts int
	// BaseDelay is the maximum delay before the second attempt; it doubles with each
	// attempt up to MaxDelay. Defaults 200 ms and 10 s. The time in a Retry-After
	// header, up to a minute, is added.
	BaseDelay, MaxDelay time.Duration

	noBatches atomic.Bool // the API or the stream takes no batches
}

const maxRetryAfter = time.Minute

// Receipt describes an accepted body.
type Receipt struct {
	// ID is the id of the record, or of the batch.
	ID string
	// Records is the number of records that the API has accepted. It can be more
	// than 0 after an error: see Post.
	Records int
	// Retries is the number of repeated requests.
	Retries int
}

// Post sends one body. It repeats the request after network errors, 408, 429 and
// 5xx. If ctx ends, the request in flight still finishes, so that its outcome is
// known, and there is no further attempt. The error wraps a *Refusal if the last
// attempt got a response.
//
// If the API or the stream does not take batches, Post sends the lines of a batch one
// by one, and stops at the first line that is not accepted.
func (c *Client) Post(ctx context.Context, b Body) (Receipt, error) {
	if err := CheckURL(c.URL); err != nil {
		return Receipt{}, err
	}
	if b.Key == "" {
		b.Key = cryptorand.Text()
	}
	if b.Lines == 0 {
		return c.repeat(ctx, b)
	}
	if c.noBatches.Load() {
		return c.postLines(ctx, b)
	}
	receipt, err := c.repeat(ctx, b)
	var refusal *Refusal
	if errors.As(err, &refusal) && refusal.lacksBatches() {
		c.noBatches.Store(true)
		return c.postLines(ctx, b)
	}
	return receipt, err
}

// postLines posts each line of a batch as a record.
func (c *Client) postLines(ctx context.Context, batch Body) (Receipt, error) {
	var sum Receipt
	for line := range bytes.Lines(batch.Bytes) {
		if sum.Records > 0 && ctx.Err() != nil {
			return sum, context.Cause(ctx)
		}
		single := batch
		single.Lines, single.Bytes = 0, bytes.TrimSuffix(line, []byte("\n"))
		single.Key = fmt.Sprintf("%s.%d", batch.Key, sum.Records)
		receipt, err := c.repeat(ctx, single)
		sum.ID, sum.Retries, sum.Records = receipt.ID, sum.Retries+receipt.Retries, sum.Records+receipt.Records
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// repeat sends a request until it is accepted, or until no repetition can help.
func (c *Client) repeat(ctx context.Context, b Body) (Receipt, error) {
	wire := b.Bytes
	if b.Gzip {
		var err error
		if wire, err = compress(b.Bytes); err != nil {
			return Receipt{}, fmt.Errorf("compressing: %w", err)
		}
	}
	for attempt := 1; ; attempt++ {
		id, err := c.post(context.WithoutCancel(ctx), b, wire)
		if err == nil {
			return Receipt{ID: id, Records: max(b.Lines, 1), Retries: attempt - 1}, nil
		}
		var refusal *Refusal
		answered := errors.As(err, &refusal)
		if answered && !refusal.mayPass() || errors.Is(err, errForeign) || attempt >= cmp.Or(c.MaxAttempts, 10) || !c.wait(ctx, attempt, refusal) {
			return Receipt{Retries: attempt - 1}, fmt.Errorf("posting to %s: %w", b.Stream, err)
		}
	}
}

// errForeign is returned for a response that the API never gives.
var errForeign = errors.New("this is not the API of a Data Sink")

// post makes one request.
func (c *Client) post(ctx context.Context, b Body, wire []byte) (id string, err error) {
	target, contentType := strings.TrimSuffix(c.URL, "/")+"/archives/"+url.PathEscape(b.Stream), "application/octet-stream"
	if b.Lines > 0 {
		target, contentType = target+"/batch", "application/x-ndjson"
	}
	if b.PartitionKey != "" {
		target += "?partition_key=" + url.QueryEscape(b.PartitionKey)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(wire))
	if err != nil {
		return "", err
	}
	request.SetBasicAuth(c.User, c.Password)
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Idempotency-Key", b.Key)
	encoding := b.Encoding
	if b.Gzip {
		encoding = "gzip"
	}
	if encoding != "" {
		request.Header.Set("Content-Encoding", encoding)
	}
	client := c.HTTP
	if client == nil {
		client = defaultHTTP
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if response.StatusCode != http.StatusAccepted {
		return "", refusalOf(response, answer)
	}
	if err != nil {
		return "", fmt.Errorf("reading the response: %w", err)
	}
	var accepted struct {
		ID      string `json:"id"`
		Records int    `json:"records"`
	}
	if err := json.Unmarshal(answer, &accepted); err != nil || accepted.ID == "" {
		return "", fmt.Errorf("%w: the response 202 has no id", errForeign)
	}
	if accepted.Records != b.Lines {
		return "", fmt.Errorf("%w: the response 202 is for %d of %d lines", errForeign, accepted.Records, b.Lines)
	}
	return accepted.ID, nil
}

// wait waits with full jitter before the next attempt. It returns false if ctx ends
// first.
func (c *Client) wait(ctx context.Context, attempt int, refusal *Refusal) bool {
	delay := backoff.Jitter(attempt-1, cmp.Or(c.BaseDelay, 200*time.Millisecond), cmp.Or(c.MaxDelay, 10*time.Second))
	if refusal != nil {
		delay += refusal.retryAfter
	}
	return backoff.Sleep(ctx, delay)
}

func compress(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
