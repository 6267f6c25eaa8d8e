package cloud

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// EventRecord is a record of an event source mapping's event.
type EventRecord struct {
	Record
	// Stream is the name of the Kinesis stream, Shard the ID of the shard.
	Stream, Shard string
}

// KinesisEvent returns the event with which an event source mapping invokes a function
// with records.
// https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html#services-kinesis-event-example
func KinesisEvent(records ...EventRecord) []byte {
	var e kinesisEvent
	for _, r := range records {
		e.streamARN = StreamARN(r.Stream)
		e.add(r.Shard, r.Record, 0, 0, math.MaxInt)
	}
	return e.bytes()
}

// eventTail is the length of what follows the last record of an event.
const eventTail = len("]}")

// kinesisEvent builds an event with Kinesis records. Batches are large, so the
// records are encoded as they are read.
type kinesisEvent struct {
	json      []byte
	batch     []batchRecord
	streamARN string
}

// batchRecord is what the mapping needs to know about a record in a batch.
type batchRecord struct {
	offset, next int64 // in the shard's spool
	sequence     string
	arrived      time.Time
}

// add appends a record, and reports false if the event would be longer than
// maxBytes. The first record is always appended.
func (e *kinesisEvent) add(shardID string, r Record, offset, next int64, maxBytes int) bool {
	before := len(e.json)
	if before == 0 {
		e.json = append(e.json, `{"Records":[`...)
	} else {
		e.json = append(e.json, ',')
	}
	e.json = append(e.json, `{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":`...)
	e.json, _ = jsontext.AppendQuote(e.json, r.PartitionKey) // Bytes that are not UTF-8 become U+FFFD.
	e.json = append(e.json, `,"sequenceNumber":"`...)
	e.json = append(e.json, r.SequenceNumber...)
	e.json = append(e.json, `","data":"`...)
	if fits := len(e.json) + base64.StdEncoding.EncodedLen(len(r.Data)); fits > maxBytes && len(e.batch) > 0 {
		e.json = e.json[:before]
		return false
	}
	e.json = base64.StdEncoding.AppendEncode(e.json, r.Data)
	e.json = append(e.json, `","approximateArrivalTimestamp":`...)
	e.json = strconv.AppendFloat(e.json, float64(r.ArrivedAt.UnixMilli())/1000, 'f', 3, 64)
	e.json = append(e.json, `},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"`...)
	e.json = append(e.json, shardID...)
	e.json = append(e.json, ':')
	e.json = append(e.json, r.SequenceNumber...)
	e.json = append(e.json, `","eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::`+Account+`:role/datasink","awsRegion":"`+Region...)
	e.json = append(e.json, `","eventSourceARN":"`...)
	e.json = append(e.json, e.streamARN...)
	e.json = append(e.json, `"}`...)
	if len(e.json)+eventTail > maxBytes && len(e.batch) > 0 {
		e.json = e.json[:before]
		return false
	}
	e.batch = append(e.batch, batchRecord{offset: offset, next: next, sequence: r.SequenceNumber, arrived: r.ArrivedAt})
	return true
}

// bytes ends the event and returns it.
func (e *kinesisEvent) bytes() []byte {
	e.json = append(e.json, "]}"...)
	return e.json
}
