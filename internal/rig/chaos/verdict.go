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

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Verdict is the result of a run.
type Verdict struct {
	// Acked is the number of acknowledged records. Archived is the number of those
	// that were found in the archive or, if they cannot be delivered, under failed/.
	// Lost is the number of the others.
	Acked, Archived, Lost int
	// Duplicates is the number of copies beyond the first of all records, Bound the
	// number that the faults allow.
	Duplicates int
	Bound      Bound
	// Kills is the number of SIGKILLs, Faults the number of faults that took place,
	// Missed the number of faults that did not.
	Kills, Faults, Missed int
	// FailedCalls is the number of AWS calls that failed as a whole, Fallbacks the
	// number of fallback records.
	FailedCalls, Fallbacks int
	// Unarchivable is the number of records under failed/ that Firehose calls
	// invalid.
	Unarchivable int
	// Partitions is the number of partitions of Redis, Exposed the number of records
	// that were accepted during one, and PartitionLost the number of those that were
	// not found. Lost does not include them.
	Partitions, Exposed, PartitionLost int
	// Problems describe what must never happen.
	Problems []string
}

// Bound is the number of duplicates that the faults allow, by cause.
type Bound struct {
	// Claims is the number of records in claims of drainers that were killed,
	// frozen, or disconnected from Redis until the lease ended.
	Claims int
	// Puts is the number of records of PutRecords calls that took effect without an
	// answer: they failed, timed out, or the answer was lost.
	Puts int
	// Firehose is the same for PutRecordBatch calls. Batches is the number of
	// records in Kinesis batches that a bridge did not deliver, because it was
	// killed or ran out of time.
	Firehose, Batches int
	// Pushes is the number of fallback records: Redis may have taken them although
	// it did not answer.
	Pushes int
	// Partitions is the number of records that a replica had when it was partitioned
	// from its primary. Both may have forwarded them.
	Partitions int
}

// Sum returns the whole bound.
func (b Bound) Sum() int { return b.Claims + b.Puts + b.Firehose + b.Batches + b.Pushes + b.Partitions }

// Err returns what is wrong; nil if nothing is.
func (v Verdict) Err() error {
	var list []error
	if v.Lost > 0 {
		list = append(list, fmt.Errorf("%d records are lost", v.Lost))
	}
	if v.Duplicates > v.Bound.Sum() {
		list = append(list, fmt.Errorf("%d duplicates, but the faults allow %d", v.Duplicates, v.Bound.Sum()))
	}
	for _, p := range v.Problems {
		list = append(list, errors.New(p))
	}
	return errors.Join(list...)
}

// String returns the verdict in four lines. The form of the last line is fixed.
func (v Verdict) String() string {
	return fmt.Sprintf("chaos: failed calls=%d fallbacks=%d refused by Firehose=%d missed faults=%d\n", v.FailedCalls, v.Fallbacks, v.Unarchivable, v.Missed) +
		fmt.Sprintf("chaos: partitions=%d accepted meanwhile=%d lost meanwhile=%d\n", v.Partitions, v.Exposed, v.PartitionLost) +
		fmt.Sprintf("chaos: bound=%d claims=%d puts=%d firehose=%d batches=%d pushes=%d partitions=%d\n", v.Bound.Sum(), v.Bound.Claims, v.Bound.Puts, v.Bound.Firehose, v.Bound.Batches, v.Bound.Pushes, v.Bound.Partitions) +
		fmt.Sprintf("chaos: acked=%d archived=%d lost=%d duplicates=%d kills=%d faults=%d", v.Acked, v.Archived, v.Lost, v.Duplicates, v.Kills, v.Faults)
}

// verdict reads the whole archive and compares it with the ledger.
func (s *suite) verdict() (Verdict, error) {
	fallbacks, err := s.readArchive()
	if err != nil {
		return Verdict{}, err
	}
	partitioned, lost := s.partitions.split(s.ledger.lost())
	calls := s.aws.calls.total()
	v := Verdict{
		Acked: s.ledger.acked, Archived: s.ledger.acked - len(lost) - len(partitioned), Lost: len(lost), PartitionLost: len(partitioned),
		Duplicates: s.ledger.extra, Kills: int(s.kills.Load()), Faults: int(s.faults.Load()), Missed: int(s.missed.Load()), Fallbacks: fallbacks,
		FailedCalls: int(s.aws.failedCalls.Load()), Unarchivable: s.ledger.unarchivable,
	}
	var repeated int
	v.Partitions, v.Exposed, repeated = s.partitions.count()
	unsettled, late := s.claims.total()
	v.Bound = Bound{
		Claims:     unsettled,
		Puts:       late + calls[cloud.ServiceKinesis],
		Firehose:   calls[cloud.ServiceFirehose],
		Batches:    calls[bridgeBatches],
		Pushes:     v.Fallbacks,
		Partitions: repeated,
	}
	v.Problems = append(s.problems.all(), s.ledger.wrong...)
	if v.Acked < s.options.Records {
		v.Problems = append(v.Problems, fmt.Sprintf("%d records were acknowledged, want %d", v.Acked, s.options.Records))
	}
	if len(lost) > 0 {
		v.Problems = append(v.Problems, fmt.Sprintf("the first lost records: %v", lost[:min(len(lost), 10)]))
	}
	return v, nil
}

// readArchive counts every body in every object, and returns the number of fallback
// records.
func (s *suite) readArchive() (fallbacks int, err error) {
	keys, err := s.aws.archive.Keys("")
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
			s.ledger.foundDeadLetters(key, bodies...)
			if err != nil {
				s.ledger.complain(key, err.Error())
			}
		default:
			s.ledger.complain(key, "belongs to no stream")
		}
	}
	return fallbacks, nil
}

// isFallback reports whether an object is a fallback record.
func isFallback(key string) bool {
	return strings.HasPrefix(path.Base(key), string(archive.Fallback)+"-")
}

// isDirect reports whether an object is a direct record.
func isDirect(key string) bool {
	reason, _, _ := strings.Cut(path.Base(key), "-")
	return slices.Contains([]archive.Reason{archive.Fallback, archive.Overflow, archive.Oversize}, archive.Reason(reason))
}

// bodyOf returns the body of a dead letter, as the suite made it.
func bodyOf(a archive.DeadLetter) []byte {
	if len(a.Envelope) > 0 && a.Envelope[0] == undecodableMark {
		return a.Envelope[1:]
	}
	return a.Body
}

func (s *suite) readObject(key string) ([]byte, error) {
	f, _, err := s.aws.archive.GetObject(context.Background(), key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var r io.Reader = f
	if strings.HasSuffix(key, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			s.ledger.complain(key, "is not gzip")
			return nil, nil
		}
	}
	object, err := io.ReadAll(r)
	if err != nil {
		s.ledger.complain(key, err.Error())
	}
	return object, nil
}
