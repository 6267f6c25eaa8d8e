package lambdatest

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// invocation is one event and its result.
type invocation struct {
	id       string
	event    []byte
	timeout  time.Duration
	deadline time.Time // set when the process takes the invocation

	answered chan struct{} // closed when response and err are set
	response []byte
	err      error
}

// routes returns the Runtime API.
func (p *Process) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", p.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		p.finish(w, r, func(body []byte) ([]byte, error) { return body, nil })
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) {
		p.finish(w, r, func(body []byte) ([]byte, error) { return nil, &FunctionError{Response: string(body)} })
	})
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted) // the process exits by itself
	})
	// The runtime of a function that handles SIGTERM registers an extension without
	// events, and waits for its first one.
	// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
	mux.HandleFunc("POST /2020-01-01/extension/register", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Lambda-Extension-Identifier", uuid.NewString())
		_, _ = io.WriteString(w, "{}")
	})
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})
	return mux
}

// next waits for an invocation and answers with it.
func (p *Process) next(w http.ResponseWriter, r *http.Request) {
	p.cold.CompareAndSwap(0, int64(time.Since(p.begun)))
	var inv *invocation
	select {
	case inv = <-p.work:
	case <-r.Context().Done():
		return
	}
	p.mu.Lock()
	inv.deadline = time.Now().Add(inv.timeout) // without the cold start
	p.current = inv
	p.mu.Unlock()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(inv.event)))
	h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", p.arn)
	h.Set("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0")
	_, _ = w.Write(inv.event) // Invoke notices if the process has ended.
}

// finish ends the current invocation.
func (p *Process) finish(w http.ResponseWriter, r *http.Request, result func(body []byte) ([]byte, error)) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // The process ended before the whole body arrived.
	}
	p.mu.Lock()
	inv := p.current
	if inv == nil || inv.id != r.PathValue("id") {
		p.mu.Unlock()
		http.Error(w, fmt.Sprintf(`{"errorType":"InvalidRequestID","errorMessage":"%s"}`, r.PathValue("id")), http.StatusBadRequest)
		return
	}
	p.current = nil
	p.mu.Unlock()
	inv.response, inv.err = result(body)
	close(inv.answered)
	w.WriteHeader(http.StatusAccepted)
}
