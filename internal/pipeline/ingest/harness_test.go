package ingest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// fakeQueue keeps the records that are pushed; its fields replace its methods.
type fakeQueue struct {
	push func(ctx context.Context, stream string, encoded []byte, maxBacklogBytes int64) (queue.Pushed, error)
	ping func(context.Context) error

	mu      sync.Mutex
	records []envelope.Record
}

func (q *fakeQueue) Push(ctx context.Context, stream string, encoded []byte, maxBacklogBytes int64) (queue.Pushed, error) {
	if q.push != nil {
		return q.push(ctx, stream, encoded, maxBacklogBytes)
	}
	r, err := envelope.Decode(bytes.Clone(encoded))
	q.mu.Lock()
	defer q.mu.Unlock()
	q.records = append(q.records, r)
	return queue.Pushed{Depth: int64(len(q.records))}, err
}

func (q *fakeQueue) Ping(ctx context.Context) error {
	if q.ping != nil {
		return q.ping(ctx)
	}
	return nil
}

// archived is one call of fakeArchive.Put.
type archived struct {
	stream stream.Stream
	record envelope.Record
	why    archive.Reason
}

type fakeArchive struct {
	put   func(context.Context) error
	check func(context.Context) error

	mu   sync.Mutex
	puts []archived
}

func (a *fakeArchive) Put(ctx context.Context, s stream.Stream, r envelope.Record, why archive.Reason) (string, error) {
	if a.put != nil {
		if err := a.put(ctx); err != nil {
			return "", err
		}
	}
	r.Body = bytes.Clone(r.Body)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.puts = append(a.puts, archived{s, r, why})
	return s.Folder(r.ReceivedAt) + string(why) + "-" + r.ID + s.Suffix(), nil
}

func (a *fakeArchive) Check(ctx context.Context) error {
	if a.check != nil {
		return a.check(ctx)
	}
	return nil
}

type fakeWaker func(ctx context.Context, stream string, delay time.Duration) error

func (w fakeWaker) Wake(ctx context.Context, stream string, delay time.Duration) error {
	return w(ctx, stream, delay)
}

const (
	streamsJSON = `{"streams":[
		{"name":"orders"}, {"name":"orders-eu"}, {"name":"legacy","format":"raw"}, {"name":"gone","retired":true},
		{"name":"bounded","maxBacklogMiB":3}, {"name":"strict","maxBacklogMiB":3,"overflow":"refuse"}]}`
	secretJSON = `{"datasink":"hunter2","checkout":{"passwords":["pass:word"],"streams":["orders","check*"]}}`
)

// service is a Handler between fakes.
type service struct {
	tb      testing.TB
	handler *ingest.Handler
	config  ingest.Config
	queue   *fakeQueue
	archive *fakeArchive
	secret  func(context.Context) ([]byte, error)
	now     time.Time
	logs    bytes.Buffer
}

// newService returns a Handler whose Config change may change.
func newService(tb testing.TB, change ...func(*service)) *service {
	tb.Helper()
	streams, err := stream.Parse([]byte(streamsJSON))
	if err != nil {
		tb.Fatal(err)
	}
	s := &service{
		tb: tb, queue: &fakeQueue{}, archive: &fakeArchive{}, now: time.Date(2026, 11, 22, 23, 7, 31, 0, time.UTC),
		secret: func(context.Context) ([]byte, error) { return []byte(secretJSON), nil },
	}
	s.config = ingest.Config{
		Streams: streams, Queue: s.queue, Archive: s.archive,
		Waker:  fakeWaker(func(context.Context, string, time.Duration) error { return nil }),
		Now:    func() time.Time { return s.now },
		Logger: slog.New(slog.NewJSONHandler(&s.logs, nil)),
	}
	cache := basicauth.NewCache(func(ctx context.Context) ([]byte, error) { return s.secret(ctx) }, time.Minute, time.Hour)
	cache.OnFailure = ingest.LogRefreshFailures(s.config.Logger)
	s.config.Credentials = cache
	for _, c := range change {
		c(s)
	}
	s.handler = ingest.New(s.config)
	return s
}

// textual are the types whose bodies API Gateway passes on as text.
func textual(contentType string) bool {
	for _, part := range []string{"text/", "application/json", "application/xml", "application/javascript"} {
		if strings.HasPrefix(contentType, part) {
			return true
		}
	}
	return false
}

// event is the request as API Gateway hands it to a function.
func event(tb testing.TB, r *http.Request) events.APIGatewayV2HTTPRequest {
	tb.Helper()
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "$default", RawPath: r.URL.EscapedPath(), RawQueryString: r.URL.RawQuery, Headers: map[string]string{"host": "api"},
	}
	for name, values := range r.Header {
		e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	e.RequestContext.Stage, e.RequestContext.RequestID, e.RequestContext.HTTP.Method = "$default", "request-1", r.Method
	if name, ok := strings.CutPrefix(r.URL.Path, "/archives/"); ok && name != "" {
		e.RouteKey, e.PathParameters = "POST /archives/{stream}", map[string]string{"stream": name}
	}
	if r.Body == nil {
		return e
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		tb.Fatal(err)
	}
	if textual(r.Header.Get("Content-Type")) {
		e.Body = strings.ToValidUTF8(string(body), "\uFFFD")
	} else {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}

// invoke hands an event to the Handler and returns its response.
func (s *service) invoke(ctx context.Context, e events.APIGatewayV2HTTPRequest) *http.Response {
	s.tb.Helper()
	raw, err := json.Marshal(e)
	if err != nil {
		s.tb.Fatal(err)
	}
	out, err := s.handler.Invoke(ctx, raw)
	if err != nil {
		s.tb.Fatalf("Invoke: %v", err)
	}
	// The runtime reuses the event's memory: nothing may hang on to it.
	clear(raw)
	var answer events.APIGatewayV2HTTPResponse
	d := json.NewDecoder(bytes.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&answer); err != nil {
		s.tb.Fatalf("the response %q is not one of API Gateway: %v", out, err)
	}
	if !utf8.Valid(out) {
		s.tb.Errorf("the response %q is not UTF-8", out)
	}
	response := &http.Response{StatusCode: answer.StatusCode, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer.Body))}
	for name, value := range answer.Headers {
		response.Header.Set(name, value)
	}
	return response
}

// RoundTrip lets an http.Client talk to the Handler.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	return s.invoke(r.Context(), event(s.tb, r)), nil
}

// post is a good request, which change may spoil.
func post(tb testing.TB, body string, change ...func(*http.Request)) *http.Request {
	tb.Helper()
	r, err := http.NewRequest(http.MethodPost, "https://api/archives/orders", strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	r.SetBasicAuth("datasink", "hunter2")
	for _, c := range change {
		c(r)
	}
	return r
}

func with(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func as(user, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

// at replaces the path and the query, written as they go over the wire.
func at(target string) func(*http.Request) {
	return func(r *http.Request) {
		u, err := r.URL.Parse(target)
		if err != nil {
			panic(err)
		}
		r.URL = u
	}
}

// do sends a request and wants a status; it returns what the body says.
func (s *service) do(r *http.Request, status int) answer {
	s.tb.Helper()
	response, err := s.RoundTrip(r)
	if err != nil {
		s.tb.Fatal(err)
	}
	return s.read(response, status)
}

// answer is the body of a response, of success and of failure.
type answer struct {
	ID, Type, Title, Code, Detail string
	Status                        int
	RequestID                     string `json:"request_id"`
	header                        http.Header
}

func (s *service) read(response *http.Response, status int) answer {
	s.tb.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.tb.Fatal(err)
	}
	if response.StatusCode != status {
		s.tb.Fatalf("status = %d, want %d; body: %s", response.StatusCode, status, body)
	}
	a := answer{header: response.Header}
	if err := json.Unmarshal(body, &a); err != nil {
		s.tb.Fatalf("body %q: %v", body, err)
	}
	return a
}

// kept is the one record that was kept, wherever that is.
func (s *service) kept() envelope.Record {
	s.tb.Helper()
	if len(s.queue.records)+len(s.archive.puts) != 1 {
		s.tb.Fatalf("%d records pushed and %d archived, want 1", len(s.queue.records), len(s.archive.puts))
	}
	if len(s.archive.puts) == 1 {
		return s.archive.puts[0].record
	}
	return s.queue.records[0]
}

// lines are the log lines, each as its members.
func (s *service) lines() []map[string]any {
	s.tb.Helper()
	var lines []map[string]any
	for line := range strings.Lines(s.logs.String()) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			s.tb.Fatalf("log line %q: %v", line, err)
		}
		lines = append(lines, members)
	}
	return lines
}
