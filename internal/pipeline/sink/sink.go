// Package sink writes entries to Kinesis and Firehose in batches.
//
// Both services accept many entries in one call, may refuse some of them in a
// call that succeeds, and may fail a call as a whole. The Writer handles this for
// both services. An adapter for each service makes the calls.
//
// Delivery is at least once: an entry is sent again after a call that failed,
// although the service may have accepted it, for example when the call timed out.
// Order is not guaranteed, because entries that are sent again follow later
// entries. No entry is dropped: each is delivered or listed in the Result.
package sink

import (
	"context"
	"errors"
	"time"
)

// Entry is one record on its way to a service.
type Entry struct {
	// PartitionKey selects the Kinesis shard: 1 to 256 characters. It must be
	// empty for Firehose, because it counts towards the limits.
	PartitionKey string
	// AnyShard says that the client did not choose the partition key. When the
	// shard throttles the entry, the Writer sends it again with a random key of 16
	// characters. PartitionKey must have at least 16 bytes then.
	AnyShard bool
	// Data is what the service stores. The Writer never changes or keeps it.
	Data []byte
}

// size is the number of bytes that count towards the limits of both services.
func (e *Entry) size() int { return len(e.PartitionKey) + len(e.Data) }

// Failure is one entry that the service refused in a call that succeeded.
type Failure struct {
	// Index is the position of the entry in the call.
	Index int
	// Err is the reason; see Service.
	Err error
}

// Service makes one call. Implementations are safe for concurrent use, do not
// keep or change entries after Put has returned, and include no part of an entry
// in the text of an error.
type Service interface {
	// Put writes entries to the stream with that AWS name in one call, without
	// retries. The service has accepted all entries that no Failure names. If the
	// error is not nil, the Failures are meaningless and any entry may or may not
	// have been accepted.
	//
	// An error of an entry or of the call that matches ErrThrottled or ErrInvalid
	// is handled as these describe. Any other error may be temporary: a missing
	// stream or a denied access may be caused by a deployment in progress.
	Put(ctx context.Context, stream string, entries []Entry) ([]Failure, error)
}

var (
	// ErrThrottled means that the service limits the rate or is unavailable.
	ErrThrottled = errors.New("throttled")
	// ErrInvalid means that the service will never accept this entry or, as the
	// error of a call, at least one of its entries.
	ErrInvalid = errors.New("invalid")
)

// Limits bound a call. 0 means no limit.
type Limits struct {
	// Entries is the maximum number of entries in a call.
	Entries int
	// CallBytes is the maximum number of bytes in a call: data and partition keys,
	// before base64.
	CallBytes int
	// EntryBytes is the maximum number of bytes in an entry, including its
	// partition key. CallBytes also limits an entry.
	EntryBytes int
}

// entryBytes is the size of the largest entry that fits into a call.
func (l Limits) entryBytes() int {
	if l.EntryBytes <= 0 || l.CallBytes > 0 && l.CallBytes < l.EntryBytes {
		return l.CallBytes
	}
	return l.EntryBytes
}

// The default quotas of PutRecords. A stream can be configured for entries of up
// to 10 MiB, and Kinesis has accepted calls of 10 MiB since 2025. Emulators do not
// accept such calls, so kinesisCallBytes is the older quota.
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	kinesisEntries    = 500
	kinesisCallBytes  = 5 << 20
	kinesisEntryBytes = 1 << 20
)

// The quotas of PutRecordBatch, which cannot be raised.
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

// Result is the outcome of one Put. An entry is delivered unless it is in Left or
// in Invalid. No entry is in both.
type Result struct {
	// Left holds the indices, ascending, of the entries that are not known to be
	// delivered. A call that failed may have delivered some of them.
	Left []int
	// Invalid holds the entries, ascending by index, that the service will never
	// accept.
	Invalid []Invalid
	// Doubtful holds those entries of Left, ascending by index, whose whole call
	// the service refused as invalid, and after halving each of its entries alone.
	// The cause may be the call, not the entries. See DoubtfulAge.
	Doubtful []Invalid
	// Refused holds the indices, ascending, of those entries of Left that the
	// service refused with an error of their own, other than ErrThrottled, in an
	// answer to the last call that contained them. An entry is not in Refused if
	// that call failed as a whole, or if the entry was never sent.
	Refused []int
	// Calls is the number of calls to the service.
	Calls int
	// Retried is the number of times that an entry was sent again.
	Retried int
	// Throttled is the number of times that an entry was refused with ErrThrottled,
	// alone or with its whole call.
	Throttled int
	// Err is nil when Left is empty. Otherwise it is the last error of the service
	// that left entries, joined with the context's error when the context has ended.
	Err error
}

// Invalid is an entry that the service refused as invalid.
type Invalid struct {
	Index int
	// Reason is the cause, with the index and the sizes of the entry. It includes
	// no part of the entry and can be logged.
	Reason string
}

// DoubtfulAge is how long a caller keeps a record whose entry is Doubtful. A
// record older than this is a dead letter.
const DoubtfulAge = time.Hour
