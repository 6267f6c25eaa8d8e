package awstest

import (
	"net"
	"net/http"
	"time"
)

// Failure is how a call fails as a whole.
type Failure int

const (
	// None: the call does not fail.
	None Failure = iota
	// Status500 answers with the service's internal error.
	Status500
	// Reset resets the connection without an answer.
	Reset
	// Hang answers nothing until the caller goes, or HangFor has passed and the
	// connection is reset.
	Hang
)

// HangFor bounds a Hang.
const HangFor = 5 * time.Second

// Fault is what happens to one call. The zero value is nothing.
type Fault struct {
	// Delay passes before anything else.
	Delay time.Duration
	// Throttle is the share of the call's records, each chosen at random, that
	// the service refuses with its code for throttling.
	Throttle float64
	// Fail is how the call fails.
	Fail Failure
	// After has the call take effect before Do and Fail; else they come before,
	// and a call that fails then has no effect.
	After bool
	// Do, if set, runs at that moment, and may block.
	Do func()
}

// run carries out an operation under a fault.
func (s *Server) run(w http.ResponseWriter, r *http.Request, op operation, f Fault) (stored int, answered bool) {
	time.Sleep(f.Delay)
	if !f.After {
		if f.Do != nil {
			f.Do()
		}
		if f.Fail != None {
			f.fail(w, r, op)
			return 0, false
		}
	}
	stored, answer := op.effect(func() bool { return s.chance(f.Throttle) })
	if f.After {
		if f.Do != nil {
			f.Do()
		}
		if f.Fail != None {
			f.fail(w, r, op)
			return stored, false
		}
	}
	answer(w)
	flushed := http.NewResponseController(w).Flush()
	return stored, flushed == nil && r.Context().Err() == nil
}

func (f Fault) fail(w http.ResponseWriter, r *http.Request, op operation) {
	switch f.Fail {
	case Hang:
		select {
		case <-r.Context().Done():
		case <-time.After(HangFor):
		}
		reset(w)
	case Reset:
		reset(w)
	default:
		op.fail(w)
	}
}

// reset ends the connection without an answer, and without a proper end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // ends the connection too
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
