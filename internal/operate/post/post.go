// Package post posts bodies to the HTTP API, for the operator's command: many at
// once, and again where that may help.
//
// A request whose answer did not arrive is repeated too, though the record may
// have been accepted: what is sent through faults arrives at least once.
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
	// Bytes are the body. Post and All do not change them.
	Bytes []byte
	// Gzip has the body compressed on its way. The API unpacks it for a stream of
	// format lines, and keeps it compressed for a raw one.
	Gzip bool
}

// Refusal is the API's answer that it does not take a body.
type Refusal struct {
	Status int
	// Code and Detail are those of the problem document; Code is empty when API
	// Gateway answered by itself.
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

// OfAll reports whether the API would refuse every other body of the same stream
// and client as well.
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

// Client posts bodies. It is safe for concurrent use; its fields are not to be
// changed meanwhile.
type Client struct {
	// URL is that of the API, without /archives.
	URL            string
	User, Password string
	// HTTP makes the requests, and bounds the time of each. Nil is a client with
	// a bound of 35 s, a little more than API Gateway takes.
	HTTP *http.Client
	// MaxAttempts bounds the requests for one body. Default 10.
	MaxAttempts int
	// BaseDelay and MaxDelay bound the wait before the second attempt, and before
	// any. Defaults 200 ms and 10 s. What the API asks for by Retry-After is
	// waited in any case, up to a minute.
	BaseDelay, MaxDelay time.Duration
}

const maxRetryAfter = time.Minute

var defaultHTTP = NewHTTP(16)

// NewHTTP returns an HTTP client for so many requests at once.
func NewHTTP(concurrency int) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = concurrency
	transport.DialContext = dial
	return &http.Client{Transport: transport, Timeout: 35 * time.Second}
}

// dial knows, as RFC 6761 wants and not every resolver does, that all names under
// localhost are this machine: an emulator gives such names to its APIs.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
		address = net.JoinHostPort("localhost", port)
	}
	return dialer.DialContext(ctx, network, address)
}

// Receipt is what is known of an accepted body.
type Receipt struct {
	// ID is the record's.
	ID string
	// Attempts is how many requests it took.
	Attempts int
}

// Post sends one body and tries again after network faults, 408, 429 and 5xx. The
// end of ctx cuts off no request, so that its outcome is known, but there is no
// further attempt then. The error is a *Refusal when the last attempt was
// answered.
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
		return "", fmt.Errorf("reading the answer: %w", err)
	}
	var accepted struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(answer, &accepted); err != nil || accepted.ID == "" {
		return "", errors.New("answered 202 without an id: is this the API of a Data Sink?")
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

// wait waits before the attempt after this one, with full jitter, and reports
// false if ctx ended before.
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
