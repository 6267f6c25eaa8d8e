package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/awstest"
)

// Verdict is how a run ended.
type Verdict struct {
	// Acked is how many records were acknowledged; Archived how many of them were
	// found again, in the archive, or under failed/ where they can never be
	// delivered; Lost the rest.
	Acked, Archived, Lost int
	// Duplicates counts the copies beyond the first of all records that were
	// sent, and Bound how many the faults allow.
	Duplicates int
	Bound      Bound
	// Kills counts SIGKILLs, Faults all faults of the schedule; Missed those that
	// it did not come to.
	Kills, Faults, Missed int
	// FailedCalls counts the calls of AWS that failed as a whole, and Fallbacks
	// the records that ingest wrote to the archive because Redis did not take them.
	FailedCalls, Fallbacks int
	// Unarchivable counts what was found under failed/ because Firehose calls it
	// invalid, without what was packed with it.
	Unarchivable int
	// Problems are what must never happen, in words.
	Problems []string
}

// Bound is how many duplicates the faults allow, by what they did.
type Bound struct {
	// Claims is the records of claims that were in flight in a drainer which was
	// killed, frozen or kept from Redis until the lease had run out.
	Claims int
	// Puts is the records of PutRecords calls that took effect unseen: they
	// failed, timed out, or their answer was lost.
	Puts int
	// Deliveries is the same of PutRecordBatch calls, and Batches the records of
	// Kinesis batches that a bridge which was killed, or ran out of time, left.
	Deliveries, Batches int
	// Pushes is the records that ingest wrote to the archive although Redis may
	// have taken them.
	Pushes int
}

// Sum is the whole bound.
func (b Bound) Sum() int { return b.Claims + b.Puts + b.Deliveries + b.Batches + b.Pushes }

// Err says what is not in order; nil when all is.
func (v Verdict) Err() error {
	var list []error
	if v.Lost > 0 {
		list = append(list, fmt.Errorf("%d records are lost", v.Lost))
	}
	if v.Duplicates > v.Bound.Sum() {
		list = append(list, fmt.Errorf("%d duplicates, the faults allow %d", v.Duplicates, v.Bound.Sum()))
	}
	for _, p := range v.Problems {
		list = append(list, errors.New(p))
	}
	return errors.Join(list...)
}

// String is the verdict in three lines, of which the last one stays as it is.
func (v Verdict) String() string {
	return fmt.Sprintf("chaos: failed calls=%d fallbacks=%d refused by Firehose=%d missed faults=%d\n", v.FailedCalls, v.Fallbacks, v.Unarchivable, v.Missed) +
		fmt.Sprintf("chaos: bound=%d claims=%d puts=%d deliveries=%d batches=%d pushes=%d\n", v.Bound.Sum(), v.Bound.Claims, v.Bound.Puts, v.Bound.Deliveries, v.Bound.Batches, v.Bound.Pushes) +
		fmt.Sprintf("chaos: acked=%d archived=%d lost=%d duplicates=%d kills=%d faults=%d", v.Acked, v.Archived, v.Lost, v.Duplicates, v.Kills, v.Faults)
}

// verdict reads everything that was written and compares.
func (s *suite) verdict() (Verdict, error) {
	fallbacks, err := s.readArchive()
	if err != nil {
		return Verdict{}, err
	}
	lost := s.ledger.lost()
	calls := s.aws.calls.total()
	v := Verdict{
		Acked: s.ledger.ackedN, Archived: s.ledger.ackedN - len(lost), Lost: len(lost),
		Duplicates: s.ledger.extra, Kills: int(s.kills.Load()), Faults: int(s.faults.Load()), Missed: int(s.missed.Load()), Fallbacks: fallbacks,
		Unarchivable: s.ledger.unarchivable,
	}
	v.FailedCalls, _ = s.aws.counts()
	unsettled, late := s.claims.total()
	v.Bound = Bound{
		Claims:     unsettled,
		Puts:       late + calls[awstest.ServiceKinesis],
		Deliveries: calls[awstest.ServiceFirehose],
		Batches:    calls[bridgeBatches],
		Pushes:     v.Fallbacks,
	}
	if err := s.checkCounters(); err != nil {
		return Verdict{}, err
	}
	v.Problems = append(s.problems.all(), s.ledger.wrong...)
	if v.Acked < s.options.Records {
		v.Problems = append(v.Problems, fmt.Sprintf("%d records were acknowledged, want %d", v.Acked, s.options.Records))
	}
	if len(lost) > 0 {
		v.Problems = append(v.Problems, fmt.Sprintf("the first records that are lost: %v", lost[:min(len(lost), 10)]))
	}
	return v, nil
}

// checkCounters holds the queues' own counts against each other.
func (s *suite) checkCounters() error {
	for _, name := range streams.Names() {
		state, err := s.redis.queue.Inspect(context.Background(), name)
		if err != nil {
			return fmt.Errorf("looking at the queue: %w", err)
		}
		if state.Accepted != state.Forwarded+state.Aside || state.AcceptedBytes != state.ForwardedBytes+state.AsideBytes {
			s.problems.add("the empty queue of %s counts %d accepted, %d forwarded and %d aside", name, state.Accepted, state.Forwarded, state.Aside)
		}
	}
	return nil
}

// readArchive counts every body in every object, and the objects that ingest
// wrote because Redis did not take the record.
func (s *suite) readArchive() (fallbacks int, err error) {
	keys, err := s.aws.server.S3.Keys(bucket, "")
	if err != nil {
		return 0, err
	}
	for _, key := range keys {
		object, err := s.readObject(key)
		if err != nil {
			return 0, err
		}
		if isFallback(key) {
			fallbacks++
		}
		top, _, _ := strings.Cut(key, "/")
		at := slices.IndexFunc(streamList, func(one stream.Stream) bool { return one.Name == top })
		switch {
		case at >= 0:
			s.ledger.foundArchived(key, streamList[at], isDirect(key), object)
		case top == "failed":
			var bodies [][]byte
			err = archive.ReadDeadLetters(bytes.NewReader(object), func(a archive.DeadLetter) error {
				bodies = append(bodies, bodyOf(a))
				return nil
			})
			s.ledger.foundAside(key, bodies...)
			if err != nil {
				s.ledger.complain(key, err.Error())
			}
		default:
			s.ledger.complain(key, "is of no stream")
		}
	}
	return fallbacks, nil
}

// isFallback reports whether ingest wrote an object because Redis did not take
// the record.
func isFallback(key string) bool {
	return strings.HasPrefix(path.Base(key), string(archive.Fallback)+"-")
}

// isDirect reports whether an object is one that ingest wrote.
func isDirect(key string) bool {
	reason, _, _ := strings.Cut(path.Base(key), "-")
	return slices.Contains([]archive.Reason{archive.Fallback, archive.Overflow, archive.Oversize}, archive.Reason(reason))
}

// bodyOf is the body of a record that was put aside, as the suite made it.
func bodyOf(a archive.DeadLetter) []byte {
	if len(a.Envelope) > 0 && a.Envelope[0] == undecodableMark {
		return a.Envelope[1:]
	}
	return a.Body
}

func (s *suite) readObject(key string) ([]byte, error) {
	f, err := s.aws.server.S3.Open(bucket, key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var r io.Reader = f
	if strings.HasSuffix(key, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			s.ledger.complain(key, "is no gzip")
			return nil, nil
		}
	}
	object, err := io.ReadAll(r)
	if err != nil {
		s.ledger.complain(key, err.Error())
	}
	return object, nil
}
