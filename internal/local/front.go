package local

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"
)

const (
	// admitBytes is how much of bodies, as received, is in memory at once.
	admitBytes = 16 << 20
	// invokeBytes is how much of that is in the function at once: there a body
	// has several copies.
	invokeBytes = 4 << 20
	// leastAdmitted and leastInvoked are what even a tiny body counts for. They
	// bound how many requests are admitted, and how many are in the function.
	leastAdmitted, leastInvoked = 64 << 10, 256 << 10
	// A body that is to be unpacked counts for what it may become.
	unpackFactor, leastUnpacked = 8, 2 << 20
	// unknownLength is what a body counts for whose length is not told.
	unknownLength = maxEventBytes / 4 * 3
)

// FrontOptions are the parts of a Front.
type FrontOptions struct {
	// Function is the ingest function.
	Function *Function
	// Hold waits while nothing should be accepted; nil never does.
	Hold func(ctx context.Context)
	// BodyTimeout is how long a client may take to send an admitted body. Default
	// one minute, more than API Gateway's 30 s: here the machine may be busy.
	BodyTimeout time.Duration
	Log         *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Front is the HTTP API: it passes requests to the ingest function as API
// Gateway does, and answers itself what API Gateway would answer itself. Of any
// number of callers it admits as many at a time as memory allows and lets the
// others wait, with their bodies unread.
type Front struct {
	FrontOptions
	admitted, invoked *semaphore.Weighted
	closing           context.Context
	close             context.CancelFunc
}

// NewFront returns a front that admits until it is closed.
func NewFront(o FrontOptions) *Front {
	if o.Now == nil {
		o.Now = time.Now
	}
	orDefault(&o.BodyTimeout, time.Minute)
	if o.Hold == nil {
		o.Hold = func(context.Context) {}
	}
	f := &Front{FrontOptions: o, admitted: semaphore.NewWeighted(admitBytes), invoked: semaphore.NewWeighted(invokeBytes)}
	f.closing, f.close = context.WithCancel(context.Background())
	return f
}

// Close refuses, with 503, all callers that are not admitted yet.
func (f *Front) Close() { f.close() }

// ServeHTTP serves one request.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestID := uuid.NewString()
	w.Header().Set("Apigw-Requestid", requestID)
	to, ok := match(r)
	if !ok {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	if r.ContentLength > maxPayload {
		refuse(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(f.closing, cancel)()

	// A request without a body, as for the health, has nothing to wait for.
	if r.ContentLength != 0 {
		release, err := f.admit(ctx, r)
		if err != nil {
			w.Header().Set("Connection", "close")
			refuse(w, http.StatusServiceUnavailable, "Service Unavailable")
			return
		}
		defer release()
	}
	event, err := f.read(w, r, to, requestID)
	if err != nil {
		f.unread(w, r, err)
		return
	}
	// The client may go away: the invocation goes on, as on AWS.
	f.invoke(context.WithoutCancel(ctx), w, r, event)
}

// admit waits for a place for the body.
func (f *Front) admit(ctx context.Context, r *http.Request) (release func(), err error) {
	size := r.ContentLength
	if size < 0 {
		size = unknownLength
	}
	size = min(max(size, leastAdmitted), admitBytes)
	if err := f.admitted.Acquire(ctx, size); err != nil {
		return nil, err
	}
	return func() { f.admitted.Release(size) }, nil
}

// read turns the request into an event, within BodyTimeout.
func (f *Front) read(w http.ResponseWriter, r *http.Request, to route, requestID string) ([]byte, error) {
	// A writer that knows no deadlines is one of a test.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(f.BodyTimeout))
	event, err := gatewayEvent(r, to, requestID, f.Now())
	if errors.Is(err, errPayload) {
		// A client that still sends would miss the answer.
		_, _ = io.CopyN(io.Discard, r.Body, maxPayload)
	}
	_ = control.SetReadDeadline(time.Time{})
	return event, err
}

func (f *Front) unread(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Connection", "close")
	switch {
	case errors.Is(err, errPayload):
		refuse(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
	case errors.Is(err, os.ErrDeadlineExceeded):
		refuse(w, http.StatusRequestTimeout, "Request Timeout")
	default: // The client has gone, or its chunks are malformed.
		f.Log.DebugContext(r.Context(), "request not read", "error", err)
		refuse(w, http.StatusBadRequest, "Bad Request")
	}
}

// invoke passes the event to the function and its answer to the client.
func (f *Front) invoke(ctx context.Context, w http.ResponseWriter, r *http.Request, event []byte) {
	if r.ContentLength != 0 {
		weight := invocationWeight(r, len(event))
		if err := f.invoked.Acquire(ctx, weight); err != nil {
			refuse(w, http.StatusServiceUnavailable, "Service Unavailable")
			return
		}
		defer f.invoked.Release(weight)
		f.Hold(ctx)
	}
	answer, err := f.Function.Invoke(ctx, event)
	if err != nil {
		f.Log.ErrorContext(ctx, "ingest failed", "error", err)
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
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

// respond writes the function's answer.
func respond(w http.ResponseWriter, answer []byte) {
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(answer, &response); err != nil || response.StatusCode < 200 || response.StatusCode > 599 {
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	body := []byte(response.Body)
	if response.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(response.Body); err != nil {
			refuse(w, http.StatusInternalServerError, "Internal Server Error")
			return
		}
	}
	header := w.Header()
	for name, value := range response.Headers {
		header.Set(name, value)
	}
	for _, cookie := range response.Cookies {
		header.Add("Set-Cookie", cookie)
	}
	if header.Get("Content-Type") == "" && len(body) > 0 {
		header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.WriteHeader(response.StatusCode)
	_, _ = w.Write(body) // The client may have gone.
}

// refuse answers as API Gateway does by itself.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"message":"`+message+`"}`) // The client may have gone.
}

// newServer returns an HTTP server that bounds what a slow or idle client can hold.
// It has no bound on a whole request, for callers may be held back. A connection
// that was opened ahead of its first request lives as long as one between two.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    10 << 10, // as API Gateway
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
