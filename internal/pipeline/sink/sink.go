// Package sink writes entries to Kinesis and Firehose in batches.
//
// Both services take many entries a call, may refuse some of them in a call
// that succeeds, and may fail a call as a whole. One loop, the Writer, deals
// with that for both; what differs is an adapter each.
//
// Delivery is at least once: an entry is repeated when a call that failed had
// taken it all the same, as one that timed out may have. Order is not promised,
// for entries that are sent again come after others. Nothing is dropped: each
// entry is delivered, or stands in the Result.
package sink

import (
	"context"
	"errors"
)

// Entry is one record on its way to a service.
type Entry struct {
	// PartitionKey chooses the Kinesis shard: 1 to 256 characters. Firehose has
	// none; leave it empty there, for it counts in the sizes.
	PartitionKey string
	// Data is what the service stores. The Writer never changes or keeps it.
	Data []byte
}

// size is what both services count.
func (e *Entry) size() int { return len(e.PartitionKey) + len(e.Data) }

// Failure is one entry that the service refused in a call that it accepted.
type Failure struct {
	// Index is the entry's position in the call.
	Index int
	// Err is why; see Service.
	Err error
}

// Service makes one call. Implementations are safe for concurrent use, do not
// keep or change entries after they have returned, and put no part of an entry
// into the text of an error.
type Service interface {
	// Put writes entries to the stream of that AWS name in one call, without
	// retries. All entries that no Failure names were taken. With an error the
	// Failures mean nothing, and whether any entry was taken is not known.
	//
	// An error, of an entry or of the call, that is ErrThrottled or ErrInvalid
	// by errors.Is is treated as these say. Any other leaves hope: a missing
	// stream or a denied access may be a deploy under way.
	Put(ctx context.Context, stream string, entries []Entry) ([]Failure, error)
}

var (
	// ErrThrottled says that the service wants less, or is not available now.
	ErrThrottled = errors.New("throttled")
	// ErrInvalid says that the service will never take this entry or, of a call,
	// that it will never take at least one of its entries.
	ErrInvalid = errors.New("invalid")
)

// Limits bound a call. A limit of 0 is no bound.
type Limits struct {
	// Entries is the most entries of a call.
	Entries int
	// CallBytes is the most bytes of a call: data and partition keys, before
	// base64.
	CallBytes int
	// EntryBytes is the most bytes of an entry, its partition key included. An
	// entry over CallBytes is over the limit too.
	EntryBytes int
}

// entryBytes is the most bytes of an entry that some call can carry.
func (l Limits) entryBytes() int {
	if l.EntryBytes <= 0 || l.CallBytes > 0 && l.CallBytes < l.EntryBytes {
		return l.CallBytes
	}
	return l.EntryBytes
}

// The quotas of PutRecords, as a stream has them by default. A stream's own
// settings may lift an entry to 10 MiB, and Kinesis takes calls of 10 MiB since
// 2025; emulators do not, hence the older value.
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	kinesisEntries    = 500
	kinesisCallBytes  = 5 << 20
	kinesisEntryBytes = 1 << 20
)

// The quotas of PutRecordBatch. They cannot be lifted.
// https://docs.aws.amazon.com/firehose/latest/dev/limits.html
const (
	firehoseEntries    = 500
	firehoseCallBytes  = 4 << 20
	firehoseEntryBytes = 1_024_000
)

var (
	// KinesisLimits are the default limits of Kinesis PutRecords.
	KinesisLimits = Limits{Entries: kinesisEntries, CallBytes: kinesisCallBytes, EntryBytes: kinesisEntryBytes}
	// FirehoseLimits are the limits of Firehose PutRecordBatch.
	FirehoseLimits = Limits{Entries: firehoseEntries, CallBytes: firehoseCallBytes, EntryBytes: firehoseEntryBytes}
)

// Result is what became of the entries of one Put. An entry that stands neither
// in Left nor in Invalid was delivered; none stands in both.
type Result struct {
	// Left holds the positions, ascending, of the entries that are not known to
	// be delivered. A call that failed may have delivered some all the same.
	Left []int
	// Invalid holds the entries, ascending, that the service will never take.
	Invalid []Invalid
	// Calls counts the calls of the service.
	Calls int
	// Retried counts how many times an entry was sent again.
	Retried int
	// Throttled counts how many times an entry was refused with ErrThrottled,
	// alone or with its whole call.
	Throttled int
	// Err is nil when Left is empty. Otherwise it is the last error of the
	// service that left entries to be sent again, joined with the context's when
	// the context has ended.
	Err error
}

// Invalid is an entry that will never be taken.
type Invalid struct {
	Index int
	// Reason says why, with the entry's position and sizes, in words that are
	// fit for a log: no part of the entry is in it.
	Reason string
}
