package local

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
)

// eventTail is what may still follow the last record of an event.
const eventTail = len("]}")

// kinesisEvent builds the event of an invocation with Kinesis records, without a
// copy of the records beside it: batches are large.
type kinesisEvent struct {
	json  []byte
	batch []batchRecord
	// The same for each record of a stream.
	streamARN string
}

// batchRecord is what the mapping has to know of a record in a batch.
type batchRecord struct {
	offset, next int64 // in the shard's spool
	sequence     string
	arrived      time.Time
}

// add appends a record, unless the event would then be over maxBytes; the first
// one always has a place.
func (e *kinesisEvent) add(shardID string, r TapRecord, offset, next int64, maxBytes int) bool {
	before := len(e.json)
	if before == 0 {
		e.json = append(e.json, `{"Records":[`...)
	} else {
		e.json = append(e.json, ',')
	}
	e.json = append(e.json, `{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":`...)
	key, err := json.Marshal(r.PartitionKey)
	if err != nil {
		panic(err) // A string always has a form in JSON.
	}
	e.json = append(e.json, key...)
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
	e.json = append(e.json, `},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"`+shardID+":"+r.SequenceNumber...)
	e.json = append(e.json, `","eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::`+account+`:role/datasink","awsRegion":"`+region...)
	e.json = append(e.json, `","eventSourceARN":"`+e.streamARN+`"}`...)
	if len(e.json)+eventTail > maxBytes && len(e.batch) > 0 {
		e.json = e.json[:before]
		return false
	}
	e.batch = append(e.batch, batchRecord{offset: offset, next: next, sequence: r.SequenceNumber, arrived: r.ArrivedAt})
	return true
}

// bytes ends the event.
func (e *kinesisEvent) bytes() []byte { return append(e.json, "]}"...) }

func kinesisARN(stream string) string {
	return "arn:aws:kinesis:" + region + ":" + account + ":stream/" + stream
}
