// Package ingest answers the HTTP requests of the service: it turns the body of
// a POST into a record and makes that durable before it answers 202.
//
// A record is pushed to the queue. It becomes a direct record in the archive if it
// is too large for the tap, if the queue does not accept it, or if the stream's
// backlog has reached its bound. The record is refused only if the archive fails
// too. If the result of a push is unknown, the record may arrive twice. It is never
// lost. The order of records is not guaranteed.
package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/uuid"
)

// recordQueue is implemented by *queue.Queue.
type recordQueue interface {
	// Push makes an envelope durable. It returns queue.ErrBacklogFull if the backlog
	// would exceed maxBacklogBytes.
	Push(ctx context.Context, stream string, envelope []byte, maxBacklogBytes int64) (queue.Pushed, error)
	// PushPart makes the envelopes of a part durable and remembers the request's
	// idempotency key. It returns queue.ErrBacklogFull like Push, and
	// queue.ErrKeyReused if the key belongs to another request.
	PushPart(ctx context.Context, stream string, p queue.Part, maxBacklogBytes int64) (queue.PartPushed, error)
	// Ping returns an error if Push would fail.
	Ping(ctx context.Context) error
}

// recordArchive is implemented by *archive.Archive.
type recordArchive interface {
	// Put makes a record durable and returns its key. It does not retain the body.
	Put(ctx context.Context, s stream.Stream, r envelope.Record, why archive.Reason) (key string, err error)
	// Check returns an error if Put would fail.
	Check(ctx context.Context) error
}

// waker is implemented by *wake.Waker.
type waker interface {
	// Wake wakes a stream's drainer after delay.
	Wake(ctx context.Context, stream string, delay time.Duration) error
}

// credentials is implemented by *basicauth.Cache.
type credentials interface {
	// Check returns an error if credentials cannot be checked.
	Check(ctx context.Context, authorization string) (basicauth.Client, bool, error)
	// Ready returns an error if Check would.
	Ready(ctx context.Context) error
}

// Config is the environment and the parts of a Handler. All are required except Now,
// Log and Observe. Of the environment, the handler reads the limits of bodies,
// PushTimeout, BypassQueue and Wake.Interval, which is the delivery delay of a
// wake-up and must be the queue's minimum interval between two wake-ups of one
// stream.
type Config struct {
	env.Ingest
	Streams     *stream.Set
	Credentials credentials
	Queue       recordQueue
	Archive     recordArchive
	Waker       waker

	// Now is the clock for ReceivedAt. Default time.Now.
	Now func() time.Time
	// Log receives warnings and errors. Default slog.Default.
	Log *slog.Logger
	// Observe, if set, is called for every request except successful requests of
	// /health. It is called before the answer, and by several goroutines at once.
	Observe func(Outcome)
}

// Handler answers requests. It is safe for concurrent use.
type Handler struct {
	config   Config
	unpacker *unpacker
	breakers map[string]*breaker // by stream
	logged   limiter
}

// New returns a Handler.
func New(c Config) *Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Observe == nil {
		c.Observe = func(Outcome) {}
	}
	h := &Handler{config: c, unpacker: newUnpacker(c.MaxDecodedBytes), breakers: make(map[string]*breaker)}
	for _, name := range c.Streams.Names() {
		h.breakers[name] = newBreaker(name, time.Now, c.Log)
	}
	return h
}

// Invoke answers one API Gateway HTTP API event (payload format 2.0) with a
// response in the same format. It returns an error only if the event is malformed;
// every other failure is an answer. The event must not change until Invoke returns.
// Invoke does not retain it.
func (h *Handler) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	began := time.Now()
	r, err := parseRequest(event)
	if err != nil {
		return nil, fmt.Errorf("parsing the event: %w", err)
	}
	r.began = began
	switch r.route() {
	case healthRoute:
		return h.health(ctx, &r)
	case archivesRoute:
		return h.post(ctx, &r)
	default:
		return h.refuse(&r, Outcome{}, &notFound)
	}
}

// post answers a request for a stream. The order of its checks is a contract: the
// method; the credentials, before anything about the stream; the client's grant;
// the stream and its format; the partition key; the idempotency key; the type of a
// batch; the size of the body as received, its encoding, its content, its decoded
// size and its lines. After the checks it stores the records.
func (h *Handler) post(ctx context.Context, r *request) ([]byte, error) {
	if string(r.method) != "POST" {
		return h.refuse(r, Outcome{}, methodNotAllowed("POST"))
	}
	client, err := h.authenticate(ctx, r)
	if err != nil {
		return h.refuse(r, Outcome{}, err)
	}
	name, isBatch := r.target()
	if !client.MayWrite(name) {
		h.logRefusal(ctx, client, "", &forbidden)
		return h.refuse(r, Outcome{}, &forbidden)
	}
	s, known := h.config.Streams.Lookup(name)
	if !known || s.Retired {
		h.logRefusal(ctx, client, s.Name, &unknownStream)
		return h.refuse(r, Outcome{}, &unknownStream)
	}
	o := Outcome{Stream: s.Name}
	posted := submission{stream: s}
	err = h.read(r, client, isBatch, &posted)
	if err == nil {
		err = h.keep(ctx, &posted, &o)
	}
	if err != nil {
		o.Records, o.Replayed = 0, 0
		h.logRefusal(ctx, client, s.Name, err)
		return h.refuse(r, o, err)
	}
	o.Bytes = len(posted.body)
	if o.Undeclared = r.isUndeclared(posted.body, s.Format); o.Undeclared {
		h.logUndeclared(ctx, client, s.Name)
	}
	h.done(r, o)
	return accepted(posted.idText, posted.lines, o.Replayed > 0 && o.Records == 0), nil
}

// submission is the content of a request that passed all checks.
type submission struct {
	stream       stream.Stream
	receivedAt   time.Time
	partitionKey string
	// id is the id of the record, or of the first line of a batch, and idText its text.
	id     uuid.UUID
	idText string
	// key is nil if the request has no idempotency key.
	key  *queue.IdempotencyKey
	body []byte
	// lines is the number of lines of a batch, or 0 for a single record. queued is the
	// number of those that are not oversize, and queuedBytes their size.
	lines, queued, queuedBytes int
}

// record returns a record of the submission.
func (p *submission) record(id string, body []byte) envelope.Record {
	return envelope.Record{Stream: p.stream.Name, ReceivedAt: p.receivedAt, ID: id, PartitionKey: p.partitionKey, Body: body}
}

// read checks a request and reads its content into p. The error is a refusal, or
// means that the event is malformed.
func (h *Handler) read(r *request, client basicauth.Client, isBatch bool, p *submission) error {
	if isBatch && p.stream.Format != stream.Lines {
		return &notALinesStream
	}
	partitionKey, ok := r.partitionKey()
	if !ok {
		return &badPartitionKey
	}
	key, ok := r.idempotencyKey()
	if !ok {
		return &badIdempotencyKey
	}
	if isBatch && r.isJSON() {
		return &unsupportedType
	}
	body, err := h.body(r, p.stream.Format)
	if err != nil {
		return err
	}
	p.receivedAt, p.partitionKey, p.body = h.config.Now(), partitionKey, body
	if isBatch {
		if err := p.cut(); err != nil {
			return err
		}
	}
	if key != nil {
		p.key = identify(client.Name, p.stream.Name, key, isBatch, body)
	}
	if p.id, err = newID(p.key); err != nil {
		return fmt.Errorf("making an id: %w", err)
	}
	if isBatch {
		binary.BigEndian.PutUint16(p.id[14:], 0)
	}
	p.idText = p.id.String()
	return nil
}

// refuse answers a request with a refusal. It returns any other error.
func (h *Handler) refuse(r *request, o Outcome, err error) ([]byte, error) {
	var refused *refusal
	if !errors.As(err, &refused) {
		return nil, err
	}
	o.Refused = refused.code
	h.done(r, o)
	return refused.response(string(r.requestID))
}
