package cloud

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// Names of the services, as in Call.
const (
	ServiceKinesis  = "kinesis"
	ServiceFirehose = "firehose"
	ServiceS3       = "s3"
	ServiceSQS      = "sqs"
	ServiceSecrets  = "secretsmanager"
)

// Call is one call of a service.
type Call struct {
	// Service and Operation are names such as "kinesis" and "PutRecords".
	Service, Operation string
	// Resource is the stream, the delivery stream, bucket/key, the queue or the
	// secret.
	Resource string
	// Caller is the access key id of a call that came over the wire.
	Caller string
	// Records is the number of records in the call.
	Records int
}

// Failure is the way in which a call fails as a whole.
type Failure int

const (
	// None: the call does not fail.
	None Failure = iota
	// Status500: the service answers with its internal error.
	Status500
	// Reset: the connection is reset without an answer.
	Reset
	// Hang: there is no answer until the caller disconnects. After HangFor the
	// connection is reset.
	Hang
)

// HangFor bounds a Hang.
const HangFor = 5 * time.Second

// ErrReset is the error of a call without an answer.
var ErrReset = errors.New("connection reset")

// Fault is what happens to one call. The zero value is no fault.
type Fault struct {
	// Delay passes before anything else.
	Delay time.Duration
	// Throttle is the share of the call's records, each chosen at random, that
	// the service refuses with its error for throttling.
	Throttle float64
	// Fail is the way in which the call fails.
	Fail Failure
	// After makes the call take effect before Do and Fail. Otherwise Do and Fail
	// come first, and a call that fails has no effect.
	After bool
	// Do, if set, is called at that moment. It may block.
	Do func()
}

// Outcome is how a call ended.
type Outcome struct {
	// Begun is when the whole call was received, Ended when the answer was
	// written, or when it was clear that no answer follows.
	Begun, Ended time.Time
	// Fault is the fault of the call.
	Fault Fault
	// Stored is the number of records that took effect, as Faults.Count counts.
	Stored int
	// Answered reports whether the service's own answer was written to a caller
	// that was still connected. It does not say that the answer arrived.
	Answered bool
}

// Faults makes calls and records fail on demand, and reports how calls ended. A
// nil *Faults does neither. Its functions are called concurrently.
type Faults struct {
	// Inject returns the fault of a call. It may block. Nil: no call has one.
	Inject func(Call) Fault
	// Observe is called when a call has ended. May be nil.
	Observe func(Call, Outcome)
	// Invalid reports whether the service refuses a call with this record as
	// invalid. Nil: it refuses none. Firehose records have no partition key.
	Invalid func(service string, e sink.Entry) bool
	// Refuse reports whether Firehose refuses a record, and that record alone, with an
	// internal failure. Nil: it refuses none.
	Refuse func(data []byte) bool
	// Count is the number of the test's records in one Firehose record. Nil: 1.
	Count func(data []byte) int
	// Seed determines which records a Fault throttles.
	Seed uint64

	once   sync.Once
	mu     sync.Mutex
	random *rand.Rand
}

// chance reports true with probability p.
func (f *Faults) chance(p float64) bool {
	if p <= 0 {
		return false
	}
	f.once.Do(func() {
		f.random = rand.New(rand.NewPCG(f.Seed, 1)) // #nosec G404 -- faults are reproducible on purpose.
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.random.Float64() < p
}

// invalid reports whether a record is to be refused as invalid.
func (f *Faults) invalid(service string, e sink.Entry) bool {
	return f != nil && f.Invalid != nil && f.Invalid(service, e)
}

// refused reports whether a record is to be refused alone.
func (f *Faults) refused(data []byte) bool {
	return f != nil && f.Refuse != nil && f.Refuse(data)
}

// count is the number of the test's records in a Firehose record.
func (f *Faults) count(data []byte) int {
	if f == nil || f.Count == nil {
		return 1
	}
	return f.Count(data)
}

// call carries out a call with its fault. effect returns the number of records
// that took effect; it asks throttled for each record whether to refuse it.
func (f *Faults) call(ctx context.Context, c Call, effect func(throttled func() bool) (stored int, err error)) error {
	if f == nil {
		_, err := effect(func() bool { return false })
		return err
	}
	c.Caller = callerOf(ctx)
	var fault Fault
	outcome := Outcome{Begun: time.Now()}
	if f.Inject != nil {
		fault = f.Inject(c)
	}
	outcome.Fault = fault
	var err error
	outcome.Stored, err = f.run(ctx, fault, effect)
	f.ended(ctx, c, outcome, fault.Fail == None)
	return err
}

// query carries out a call that stores nothing, with its fault.
func query[T any](ctx context.Context, f *Faults, c Call, effect func() (T, error)) (result T, err error) {
	err = f.call(ctx, c, func(func() bool) (int, error) {
		result, err = effect()
		return 0, err
	})
	return result, err
}

// run carries out a call.
func (f *Faults) run(ctx context.Context, fault Fault, effect func(throttled func() bool) (int, error)) (stored int, err error) {
	time.Sleep(fault.Delay)
	if !fault.After {
		if err := fault.strike(ctx); err != nil {
			return 0, err
		}
	}
	stored, err = effect(func() bool { return f.chance(fault.Throttle) })
	if fault.After {
		if err := fault.strike(ctx); err != nil {
			return stored, err
		}
	}
	return stored, err
}

// strike calls Do and returns the error of Fail.
func (f Fault) strike(ctx context.Context) error {
	if f.Do != nil {
		f.Do()
	}
	switch f.Fail {
	case None:
		return nil
	case Status500:
		return newError(InternalFailure, "injected")
	case Hang:
		select {
		case <-ctx.Done():
		case <-time.After(HangFor):
		}
	}
	return ErrReset
}

// ended reports the outcome, or leaves that to the wire, which knows whether the
// answer was written.
func (f *Faults) ended(ctx context.Context, c Call, o Outcome, answers bool) {
	if f.Observe == nil {
		return
	}
	report := func(answered bool) {
		o.Ended, o.Answered = time.Now(), answers && answered
		f.Observe(c, o)
	}
	if w, ok := ctx.Value(wireKey{}).(*wireCall); ok {
		w.reports = append(w.reports, report)
		return
	}
	report(ctx.Err() == nil)
}

type wireKey struct{}

// wireCall is a call that came over the wire.
type wireCall struct {
	caller  string
	reports []func(answered bool)
}

func callerOf(ctx context.Context) string {
	if w, ok := ctx.Value(wireKey{}).(*wireCall); ok {
		return w.caller
	}
	return ""
}

// OverWire returns a context for one request of a caller, an access key id.
// answered must be called when the answer has been written, and with false when
// it was not.
func OverWire(ctx context.Context, caller string) (_ context.Context, answered func(bool)) {
	w := &wireCall{caller: caller}
	return context.WithValue(ctx, wireKey{}, w), func(written bool) {
		for _, report := range w.reports {
			report(written)
		}
	}
}
