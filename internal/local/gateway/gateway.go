// Package gateway is the HTTP API of the local pipeline. It builds the events
// that API Gateway would build, invokes the ingest function with them, and
// answers by itself what API Gateway answers by itself.
package gateway

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"
)

const (
	// admitBytes bounds the bodies, as received, that are in memory at once.
	admitBytes = 16 << 20
	// invokeBytes bounds the bodies that are in the function at once. The function
	// holds several copies of a body.
	invokeBytes = 4 << 20
	// leastAdmitted and leastInvoked are the least that a body counts for. They
	// bound the number of requests that are admitted and that are in the function.
	leastAdmitted, leastInvoked = 64 << 10, 64 << 10
	// A compressed body counts for the size that it may decode to.
	unpackFactor, leastUnpacked = 8, 2 << 20
	// unknownLength is what a body of unknown length counts for.
	unknownLength = maxEventBytes / 4 * 3
)

// invoker is the ingest function. An event is one HTTP request, the answer one
// HTTP response, both in payload format 2.0.
type invoker interface {
	Invoke(ctx context.Context, event []byte) ([]byte, error)
}

// Config has the parts of a Gateway.
type Config struct {
	// Function is the ingest function.
	Function invoker
	// Hold blocks while no record should be accepted. Nil never blocks.
	Hold func(ctx context.Context)
	// BodyTimeout is how long a client may take to send an admitted body. The
	// default is one minute, longer than the 30 s of API Gateway, because the
	// machine may be busy.
	BodyTimeout time.Duration
	// CORSOrigins are the origins whose web pages may post, as in the setting
	// corsOrigins of the stack. Empty: the API has no CORS configuration.
	CORSOrigins []string
	Log         *slog.Logger
	// Now is the clock. The default is time.Now.
	Now func() time.Time
}

// Gateway is an HTTP handler that passes requests to the ingest function. It
// admits as many requests at a time as fit into memory. Further requests wait,
// with their bodies unread. It is safe for concurrent use.
type Gateway struct {
	Config
	admitted, invoked *semaphore.Weighted
	uploads           uploads
	closing           context.Context
	close             context.CancelFunc
}

// New returns a Gateway. It admits requests until Close.
func New(c Config) *Gateway {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.BodyTimeout == 0 {
		c.BodyTimeout = time.Minute
	}
	if c.Hold == nil {
		c.Hold = func(context.Context) {}
	}
	g := &Gateway{Config: c, admitted: semaphore.NewWeighted(admitBytes), invoked: semaphore.NewWeighted(invokeBytes)}
	g.closing, g.close = context.WithCancel(context.Background())
	return g
}

// Close answers all requests that are not admitted yet with 503.
func (g *Gateway) Close() { g.close() }

// ServeHTTP serves one request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestID := uuid.NewString()
	w.Header().Set("Apigw-Requestid", requestID)
	if g.answerCORS(w, r) {
		return
	}
	to, ok := match(r)
	if !ok {
		refuse(w, http.StatusNotFound)
		return
	}
	// A length that the event cannot hold is refused before a byte is read.
	if r.ContentLength > maxBody(r) {
		refuse(w, http.StatusRequestEntityTooLarge)
		return
	}
	// A request without a body, such as GET /health, is not held back.
	if r.ContentLength != 0 {
		release, err := g.admit(r)
		if err != nil {
			w.Header().Set("Connection", "close")
			refuse(w, http.StatusServiceUnavailable)
			return
		}
		defer release()
	}
	event, err := g.read(w, r, to, requestID)
	if err != nil {
		g.refuseUnread(w, r, err)
		return
	}
	// As on AWS, the invocation goes on when the client disconnects.
	g.invoke(context.WithoutCancel(r.Context()), w, r, event)
	recycle(event)
}

// read reads the request within BodyTimeout and returns its event.
func (g *Gateway) read(w http.ResponseWriter, r *http.Request, to route, requestID string) ([]byte, error) {
	// Writers of tests do not support deadlines, so the errors are ignored.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(g.BodyTimeout))
	body, done := g.uploads.start(r.Body, control)
	event, err := newEvent(r, body, to, requestID, g.Now())
	done()
	if errors.Is(err, errTooLarge) {
		// A client that is still sending would not read the answer.
		_, _ = io.CopyN(io.Discard, r.Body, maxPayload)
	}
	_ = control.SetReadDeadline(time.Time{})
	return event, err
}

// refuseUnread answers a request whose body was not read to its end.
func (g *Gateway) refuseUnread(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Connection", "close")
	switch {
	case errors.Is(err, errTooLarge):
		refuse(w, http.StatusRequestEntityTooLarge)
	case errors.Is(err, os.ErrDeadlineExceeded):
		refuse(w, http.StatusRequestTimeout)
	default: // The client has disconnected, or its chunks are malformed.
		g.Log.DebugContext(r.Context(), "request not read", "error", err)
		refuse(w, http.StatusBadRequest)
	}
}

// invoke passes the event to the function, and the function's response to the
// client.
func (g *Gateway) invoke(ctx context.Context, w http.ResponseWriter, r *http.Request, event []byte) {
	if r.ContentLength != 0 {
		weight := invocationWeight(r, len(event))
		if err := g.invoked.Acquire(ctx, weight); err != nil {
			refuse(w, http.StatusServiceUnavailable)
			return
		}
		defer g.invoked.Release(weight)
		g.Hold(ctx)
	}
	answer, err := g.Function.Invoke(ctx, event)
	if err != nil {
		g.Log.ErrorContext(ctx, "ingest failed", "error", err)
		refuse(w, http.StatusInternalServerError)
		return
	}
	respond(w, answer)
}

func invocationWeight(r *http.Request, size int) int64 {
	weight := max(int64(size), leastInvoked)
	if r.Header.Get("Content-Encoding") != "" {
		weight = max(int64(size)*unpackFactor, leastUnpacked)
	}
	return min(weight, invokeBytes)
}
