package lambdatest

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
)

// KinesisRecord is one record of a Kinesis event.
type KinesisRecord struct {
	// Stream is the name of the Kinesis stream: what follows ":stream/" in its ARN.
	Stream string
	// Shard is the shard's ID. Default "shardId-000000000000".
	Shard string
	// Sequence is the sequence number.
	Sequence string
	// Key is the partition key. Default "key".
	Key string
	// Arrived is when Kinesis accepted the record, in milliseconds. Default 2026-11-22T22:59:59.5Z.
	Arrived time.Time
	// Data is the body.
	Data []byte
}

// KinesisEvent returns the event with which Lambda's event source mapping of a
// Kinesis stream invokes a function.
// https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html#services-kinesis-event-example
func KinesisEvent(records ...KinesisRecord) []byte {
	size := 64
	for i := range records {
		size += base64.StdEncoding.EncodedLen(len(records[i].Data)) + 640
	}
	event := append(make([]byte, 0, size), `{"Records":[`...)
	for i, r := range records {
		if i > 0 {
			event = append(event, ',')
		}
		event = r.append(event)
	}
	return append(event, "]}"...)
}

func (r KinesisRecord) append(event []byte) []byte {
	if r.Shard == "" {
		r.Shard = "shardId-000000000000"
	}
	if r.Key == "" {
		r.Key = "key"
	}
	if r.Arrived.IsZero() {
		r.Arrived = time.Date(2026, 11, 22, 22, 59, 59, 500e6, time.UTC)
	}
	event = append(event, `{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":`...)
	event = appendJSON(event, r.Key)
	event = append(event, `,"sequenceNumber":`...)
	event = appendJSON(event, r.Sequence)
	event = append(event, `,"data":"`...)
	event = base64.StdEncoding.AppendEncode(event, r.Data)
	event = append(event, `","approximateArrivalTimestamp":`...)
	event = strconv.AppendFloat(event, float64(r.Arrived.UnixMilli())/1000, 'f', 3, 64)
	event = append(event, `},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":`...)
	event = appendJSON(event, r.Shard+":"+r.Sequence)
	event = append(event, `,"eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::123456789012:role/datasink-bridge","awsRegion":"eu-central-1","eventSourceARN":`...)
	event = appendJSON(event, "arn:aws:kinesis:eu-central-1:123456789012:stream/"+r.Stream)
	return append(event, '}')
}

func appendJSON(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err) // encoding/json marshals every string
	}
	return append(b, quoted...)
}
