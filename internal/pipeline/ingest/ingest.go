// Package ingest answers the HTTP requests of the service: it turns the body of
// a POST into a record and makes that durable before it answers 202.
//
// A record goes to the queue. One that is too large for the tap, that the queue
// does not take or that is past the bound on its stream's backlog goes straight
// to the archive instead. Only when that fails too is the record refused. After
// a push whose outcome stayed unknown a record may arrive twice; it is never
// lost, and order is not promised.
package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/uuid"
	"github.com/sony/gobreaker/v2"
)

// recordQueue takes records; *queue.Queue is one.
type recordQueue interface {
	// Push makes an envelope durable, or returns an error, which is
	// queue.ErrBacklogFull past maxBacklogBytes.
	Push(ctx context.Context, stream string, envelope []byte, maxBacklogBytes int64) (queue.Pushed, error)
	// Ping reports whether Push could work.
	Ping(ctx context.Context) error
}

// recordArchive takes the records that the queue does not; *archive.Archive is one.
type recordArchive interface {
	// Put makes a record durable and returns its key. It keeps nothing of it.
	Put(ctx context.Context, s stream.Stream, r envelope.Record, why archive.Reason) (key string, err error)
	// Check reports whether Put could work.
	Check(ctx context.Context) error
}

// waker wakes a stream's drainer after delay; *wake.Waker is one.
type waker interface {
	Wake(ctx context.Context, stream string, delay time.Duration) error
}

// credentials tell who a client is; *basicauth.Cache is one.
type credentials interface {
	// Check returns an error when no credentials can be checked.
	Check(ctx context.Context, authorization string) (basicauth.Client, bool, error)
	// Ready reports whether Check could work.
	Ready(ctx context.Context) error
}

// Config says what a Handler works with. The first five are needed.
type Config struct {
	Streams     *stream.Set
	Credentials credentials
	Queue       recordQueue
	Archive     recordArchive
	Waker       waker

	// MaxBodyBytes bounds a body as received, default 4 MiB, MaxDecodedBytes as
	// decoded, default 16 MiB.
	MaxBodyBytes, MaxDecodedBytes int
	// PushTimeout bounds a push. Default 250 ms.
	PushTimeout time.Duration
	// WakeInterval is the delay of a wake-up: the queue's interval between two of
	// one stream. Default 1 s.
	WakeInterval time.Duration
	// Now is the clock by which records are stamped. Default time.Now.
	Now func() time.Time
	// Logger hears of what is not as it should be. Default slog.Default.
	Logger *slog.Logger
	// Observe, if set, is told of every request but those for /health that were
	// well. It is called before the answer, from several goroutines at once.
	Observe func(Outcome)
}

func (c Config) withDefaults() Config {
	c.MaxBodyBytes = orDefault(c.MaxBodyBytes, 4<<20)
	c.MaxDecodedBytes = orDefault(c.MaxDecodedBytes, 16<<20)
	c.PushTimeout = orDefault(c.PushTimeout, 250*time.Millisecond)
	c.WakeInterval = orDefault(c.WakeInterval, time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func orDefault[T ~int | ~int64](value, byDefault T) T {
	if value <= 0 {
		return byDefault
	}
	return value
}

// Handler answers requests. It is safe for concurrent use.
type Handler struct {
	config   Config
	unpacker *unpacker
	breaker  *gobreaker.CircuitBreaker[queue.Pushed]
	counter  counter
	logged   limiter
}

// New returns a Handler.
func New(c Config) *Handler {
	c = c.withDefaults()
	return &Handler{config: c, unpacker: newUnpacker(c.MaxDecodedBytes), breaker: newBreaker(c.Logger)}
}

// Invoke answers one API Gateway HTTP API event (payload format 2.0) with a
// response in the same format. It returns an error only for an event that is
// none; every failure beyond that is an answer. The event must not change until
// it returns, and nothing of it is kept after.
func (h *Handler) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	r, err := parseRequest(event)
	if err != nil {
		return nil, fmt.Errorf("parsing the event: %w", err)
	}
	switch r.route() {
	case healthRoute:
		return h.health(ctx, &r)
	case archivesRoute:
		return h.post(ctx, &r)
	default:
		return h.refuse(&r, Outcome{}, &notFound)
	}
}

// post answers a request for a stream. The order of its checks is a contract:
// the method; who the client is, before anything about the stream; the client's
// grant; the stream; the partition key; the size of the body as received, its
// encoding, its content and its size as decoded; and then the record is stored.
func (h *Handler) post(ctx context.Context, r *request) ([]byte, error) {
	if string(r.method) != "POST" {
		m := methodNotAllowed("POST")
		return h.refuse(r, Outcome{}, &m)
	}
	client, refused := h.authenticate(ctx, r)
	if refused != nil {
		return h.refuse(r, Outcome{}, refused)
	}
	name := r.streamName()
	if !client.MayWrite(name) {
		h.logRefusal(ctx, client, "", &forbidden)
		return h.refuse(r, Outcome{}, &forbidden)
	}
	s, known := h.config.Streams.Lookup(name)
	if !known || s.Retired {
		h.logRefusal(ctx, client, s.Name, &unknownStream)
		return h.refuse(r, Outcome{}, &unknownStream)
	}
	record, refused, err := h.record(r, s)
	if err != nil {
		return nil, err
	}
	o := Outcome{Stream: s.Name}
	if refused == nil {
		refused = h.keep(ctx, s, record, &o)
	}
	if refused != nil {
		h.logRefusal(ctx, client, s.Name, refused)
		return h.refuse(r, o, refused)
	}
	o.Accepted, o.Bytes = true, len(record.Body)
	h.done(o)
	return accepted(record.ID), nil
}

// record makes the record of a request, or says why there can be none. An error
// means that the event is malformed after all.
func (h *Handler) record(r *request, s stream.Stream) (envelope.Record, *refusal, error) {
	key, ok := r.partitionKey()
	if !ok {
		return envelope.Record{}, &badPartitionKey, nil
	}
	body, refused, err := h.body(r, s.Format)
	if refused != nil || err != nil {
		return envelope.Record{}, refused, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return envelope.Record{}, nil, fmt.Errorf("making an id: %w", err)
	}
	return envelope.Record{Stream: s.Name, ReceivedAt: h.config.Now(), ID: id.String(), PartitionKey: key, Body: body}, nil, nil
}

func (h *Handler) refuse(r *request, o Outcome, f *refusal) ([]byte, error) {
	o.Refused = f.code
	h.done(o)
	return f.response(string(r.requestID))
}
