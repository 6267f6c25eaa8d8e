package bridge

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/walk"
)

// record is the fields of a record of a Kinesis event that the bridge uses. The
// slices alias the event.
type record struct {
	data     []byte // the body, in base64
	sequence []byte // sequence number, in decimal
	id       []byte // shard id, colon, sequence number
	key      []byte // Kinesis partition key
	arn      []byte // of the Kinesis stream, or of one of its consumers
	arrival  []byte // arrival on the tap: seconds since 1970, a JSON number
}

// arrivedAt is when the record arrived on the tap. It is zero if the event lacks the
// time.
func (r *record) arrivedAt() time.Time {
	seconds, err := strconv.ParseFloat(string(r.arrival), 64)
	if err != nil || seconds <= 0 || seconds > math.MaxInt32*100.0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
}

// shard is the ID of the record's shard. It is empty if the event lacks it.
func (r *record) shard() string {
	shard, _, _ := bytes.Cut(r.id, []byte{':'})
	return string(shard)
}

// decode appends the records of a Kinesis event to records. It reads the event in one
// pass, which takes a small part of the time that encoding/json takes to decode a full
// event into events.KinesisEvent. A test compares the two.
//
// An event without records, or a record without body, sequence number or stream,
// is an error, because skipping it would lose the record. The characters of a body
// without escapes are not validated, because it is base64 and decoded later.
func decode(records []record, event []byte) ([]record, error) {
	w := walk.New(event)
	fields, found := 0, false
	w.Object(func(name []byte) {
		fields++
		if string(name) != "Records" {
			w.Skip()
			return
		}
		found = true
		records = records[:0]
		w.Array(func() {
			if r := read(w); w.Err() == nil {
				records = append(records, r)
			}
		})
	})
	if fields > 0 && !found {
		w.Fail("Records")
	}
	w.End()
	if err := w.Err(); err != nil {
		return nil, fmt.Errorf("decoding event of %d bytes after %d records: %w", len(event), len(records), err)
	}
	return records, nil
}

func read(w *walk.Walker) record {
	var r record
	w.Object(func(name []byte) {
		switch string(name) {
		case "kinesis":
			w.Object(func(name []byte) {
				switch string(name) {
				case "data":
					w.Plain(&r.data)
				case "sequenceNumber":
					w.Text(&r.sequence)
				case "partitionKey":
					w.Text(&r.key)
				case "approximateArrivalTimestamp":
					w.Raw(&r.arrival)
				default:
					w.Skip()
				}
			})
		case "eventID":
			w.Text(&r.id)
		case "eventSourceARN":
			w.Text(&r.arn)
		default:
			w.Skip()
		}
	})
	if r.data == nil || len(r.sequence) == 0 || len(r.arn) == 0 {
		w.Fail("data, sequence number and stream")
	}
	return r
}
