// Package post posts bodies to the HTTP API for the operator's command. It sends
// requests concurrently and repeats those that may succeed later.
//
// A request without a response is repeated too, although the API may have accepted
// the record. Delivery is therefore at least once.
package post

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Body is what becomes one record.
type Body struct {
	// Stream is the name of the stream.
	Stream string
	// PartitionKey chooses the shard; empty for none.
	PartitionKey string
	// Bytes are the body. Post and All do not modify them.
	Bytes []byte
	// Gzip compresses the request body. The API decompresses it for a stream of
	// format lines and stores it compressed for a raw stream.
	Gzip bool
}

// Refusal is a response of the API other than 202.
type Refusal struct {
	Status int
	// Code and Detail come from the problem document. Code is empty if API Gateway
	// answered without the function.
	Code, Detail string
	retryAfter   time.Duration
}

func (r *Refusal) Error() string {
	text := strconv.Itoa(r.Status)
	if r.Code != "" {
		text += " " + r.Code
	}
	if r.Detail != "" {
		text += ": " + r.Detail
	}
	return text
}

// OfAll reports whether the API refuses every other body of the same stream and
// client too.
func (r *Refusal) OfAll() bool {
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	}
	return false
}

// IsFinal reports whether the same body would be refused again.
func (r *Refusal) IsFinal() bool { return !r.mayPass() }

func (r *Refusal) mayPass() bool {
	return r.Status == http.StatusTooManyRequests || r.Status >= http.StatusInternalServerError || r.Status == http.StatusRequestTimeout
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
}

const maxRetryAfter = time.Minute

var defaultHTTP = NewHTTP(16)

// NewHTTP returns an HTTP client that keeps up to concurrency connections.
func NewHTTP(concurrency int) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = concurrency
	transport.DialContext = dial
	return &http.Client{Transport: transport, Timeout: 35 * time.Second}
}

// dial resolves every name under .localhost to the loopback address, as RFC 6761
// requires and some resolvers do not. Emulators use such names for their APIs.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
		address = net.JoinHostPort("localhost", port)
	}
	return dialer.DialContext(ctx, network, address)
}

// Receipt describes an accepted body.
type Receipt struct {
	// ID is the id of the record.
	ID string
	// Attempts is the number of requests.
	Attempts int
}

// Post sends one body. It repeats the request after network errors, 408, 429 and
// 5xx. If ctx ends, the request in flight still finishes, so that its outcome is
// known, and there is no further attempt. The error wraps a *Refusal if the last
// attempt got a response.
func (c *Client) Post(ctx context.Context, b Body) (Receipt, error) {
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
			return Receipt{ID: id, Attempts: attempt}, nil
		}
		var refusal *Refusal
		answered := errors.As(err, &refusal)
		if answered && !refusal.mayPass() || attempt >= orDefault(c.MaxAttempts, 10) || !c.wait(ctx, attempt, refusal) {
			return Receipt{Attempts: attempt}, fmt.Errorf("posting to %s: %w", b.Stream, err)
		}
	}
}

// post makes one request.
func (c *Client) post(ctx context.Context, b Body, wire []byte) (id string, err error) {
	target := strings.TrimSuffix(c.URL, "/") + "/archives/" + url.PathEscape(b.Stream)
	if b.PartitionKey != "" {
		target += "?partition_key=" + url.QueryEscape(b.PartitionKey)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(wire))
	if err != nil {
		return "", err
	}
	request.SetBasicAuth(c.User, c.Password)
	request.Header.Set("Content-Type", "application/octet-stream")
	if b.Gzip {
		request.Header.Set("Content-Encoding", "gzip")
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
		ID string `json:"id"`
	}
	if err := json.Unmarshal(answer, &accepted); err != nil || accepted.ID == "" {
		return "", errors.New("the response 202 has no id: is this the API of a Data Sink?")
	}
	return accepted.ID, nil
}

func refusalOf(response *http.Response, answer []byte) *Refusal {
	r := &Refusal{Status: response.StatusCode}
	var problem struct {
		Code    string `json:"code"`
		Detail  string `json:"detail"`
		Message string `json:"message"` // of API Gateway
	}
	if json.Unmarshal(answer, &problem) == nil {
		r.Code, r.Detail = problem.Code, problem.Detail
		if r.Detail == "" {
			r.Detail = problem.Message
		}
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		r.retryAfter = min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	return r
}

// wait waits with full jitter before the next attempt. It returns false if ctx ends
// first.
func (c *Client) wait(ctx context.Context, attempt int, refusal *Refusal) bool {
	bound := min(orDefault(c.BaseDelay, 200*time.Millisecond)<<min(attempt-1, 20), orDefault(c.MaxDelay, 10*time.Second))
	delay := rand.N(bound) + 1 // #nosec G404 -- a pause, no secret.
	if refusal != nil {
		delay += refusal.retryAfter
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
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

func orDefault[T int | time.Duration](value, byDefault T) T {
	if value <= 0 {
		return byDefault
	}
	return value
}
