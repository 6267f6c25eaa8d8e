package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// fakeQueue keeps the pushed records. Its function fields replace its methods.
type fakeQueue struct {
	push     func(ctx context.Context, stream string, encoded []byte, maxBacklogBytes int64) (queue.Pushed, error)
	pushPart func(ctx context.Context, stream string, p queue.Part, maxBacklogBytes int64) (queue.PartPushed, error)
	ping     func(context.Context) error

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

func (q *fakeQueue) PushPart(ctx context.Context, stream string, p queue.Part, maxBacklogBytes int64) (queue.PartPushed, error) {
	if q.pushPart != nil {
		return q.pushPart(ctx, stream, p, maxBacklogBytes)
	}
	for _, encoded := range p.Envelopes {
		if _, err := q.Push(ctx, stream, encoded, maxBacklogBytes); err != nil {
			return queue.PartPushed{}, err
		}
	}
	return queue.PartPushed{Done: p.First + len(p.Envelopes)}, nil
}

func (q *fakeQueue) Ping(ctx context.Context) error {
	if q.ping != nil {
		return q.ping(ctx)
	}
	return nil
}

// archived holds the arguments of one call of fakeArchive.Put.
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

// service is a Handler with fake dependencies.
type service struct {
	tb      testing.TB
	handler *ingest.Handler
	config  ingest.Config
	queue   *fakeQueue
	archive *fakeArchive
	secret  func(context.Context) ([]byte, error)
	now     time.Time
	logs    bytes.Buffer

	mu       sync.Mutex // guards outcomes
	outcomes []ingest.Outcome
}

func parseStreams(tb testing.TB, file string) *stream.Set {
	tb.Helper()
	streams, err := stream.Parse([]byte(file))
	if err != nil {
		tb.Fatal(err)
	}
	return streams
}

// newService returns a service. change can modify its Config.
func newService(tb testing.TB, change ...func(*service)) *service {
	tb.Helper()
	streams := parseStreams(tb, streamsJSON)
	s := &service{
		tb: tb, queue: &fakeQueue{}, archive: &fakeArchive{}, now: time.Date(2026, 11, 22, 23, 7, 31, 0, time.UTC),
		secret: func(context.Context) ([]byte, error) { return []byte(secretJSON), nil },
	}
	s.config = ingest.Config{
		Ingest: env.Defaults(env.ParseIngest), Streams: streams, Queue: s.queue, Archive: s.archive,
		Waker:   fakeWaker(func(context.Context, string, time.Duration) error { return nil }),
		Now:     func() time.Time { return s.now },
		Log:     slog.New(slog.NewJSONHandler(&s.logs, nil)),
		Observe: s.observe,
	}
	cache := basicauth.NewCache(func(ctx context.Context) ([]byte, error) { return s.secret(ctx) }, time.Minute, time.Hour)
	cache.OnFailure = ingest.LogRefreshFailures(s.config.Log)
	s.config.Credentials = cache
	for _, c := range change {
		c(s)
	}
	s.handler = ingest.New(s.config)
	return s
}

// observe keeps the outcome of a request.
func (s *service) observe(o ingest.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcomes = append(s.outcomes, o)
}

// total returns the sums of all outcomes.
func (s *service) total() ingest.Outcome {
	total := ingest.Outcome{Archived: make(map[archive.Reason]int)}
	for _, o := range s.outcomes {
		total.Records += o.Records
		total.Replayed += o.Replayed
		total.Bytes += o.Bytes
		for why, n := range o.Archived {
			total.Archived[why] += n
		}
	}
	return total
}

// do sends a request and returns the answer, which must have the given status.
func (s *service) do(r *http.Request, status int) answer {
	s.tb.Helper()
	response, err := s.RoundTrip(r)
	if err != nil {
		s.tb.Fatal(err)
	}
	return s.read(response, status)
}

// answer is the body of a response, for success and for failure.
type answer struct {
	ID, Type, Title, Code, Detail string
	Status, Records               int
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

// kept returns the only record in queue and archive.
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

// lines returns the log lines, each as its members without the time.
func (s *service) lines() []map[string]any {
	s.tb.Helper()
	var lines []map[string]any
	for line := range strings.Lines(s.logs.String()) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			s.tb.Fatalf("log line %q: %v", line, err)
		}
		delete(members, "time")
		lines = append(lines, members)
	}
	return lines
}
