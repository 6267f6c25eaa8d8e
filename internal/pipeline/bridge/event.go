package bridge

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
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

// decode appends the records of a Kinesis event to records. It reads the tokens of
// the event, which takes a seventh of the time that encoding/json takes to decode
// a full event into events.KinesisEvent. A test compares the two.
//
// An event without records, or a record without body, sequence number or stream,
// is an error, because skipping it would lose the record.
func decode(records []record, event []byte) ([]record, error) {
	d := decoder{event: event, tokens: jsontext.NewDecoder(bytes.NewBuffer(event), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	fields, found := 0, false
	d.object(func(name []byte) {
		fields++
		if string(name) != "Records" {
			d.skip()
			return
		}
		found = true
		records = records[:0]
		d.array(func() { records = append(records, d.record(len(records))) })
	})
	if d.err == nil && fields > 0 && !found {
		d.err = errors.New("no Records")
	}
	d.end()
	if d.err != nil {
		return nil, fmt.Errorf("decoding event of %d bytes: %w", len(event), d.err)
	}
	return records, nil
}

// decoder reads successive JSON values and keeps the first error.
type decoder struct {
	event  []byte
	tokens *jsontext.Decoder
	err    error
}

func (d *decoder) record(position int) record {
	var r record
	d.object(func(name []byte) {
		switch string(name) {
		case "kinesis":
			d.object(func(name []byte) {
				switch string(name) {
				case "data":
					r.data = d.text()
				case "sequenceNumber":
					r.sequence = d.text()
				case "partitionKey":
					r.key = d.text()
				case "approximateArrivalTimestamp":
					r.arrival = d.value()
				default:
					d.skip()
				}
			})
		case "eventID":
			r.id = d.text()
		case "eventSourceARN":
			r.arn = d.text()
		default:
			d.skip()
		}
	})
	if d.err == nil && (r.data == nil || len(r.sequence) == 0 || len(r.arn) == 0) {
		d.err = errors.New("no data, sequence number or stream")
	}
	if d.err != nil {
		d.err = fmt.Errorf("record %d: %w", position, d.err)
	}
	return r
}

// object calls field for the value of every member. field must consume the value. A
// null has no members.
func (d *decoder) object(field func(name []byte)) {
	if !d.open('{') {
		return
	}
	for d.err == nil && d.tokens.PeekKind() != '}' {
		if name := d.text(); d.err == nil {
			field(name)
		}
	}
	d.close()
}

// array calls element for every element. element must consume it. A null has no
// elements.
func (d *decoder) array(element func()) {
	if !d.open('[') {
		return
	}
	for d.err == nil && d.tokens.PeekKind() != ']' {
		element()
	}
	d.close()
}

func (d *decoder) open(kind jsontext.Kind) bool {
	if d.err != nil {
		return false
	}
	token, err := d.tokens.ReadToken()
	switch {
	case err != nil:
		d.err = err
	case token.Kind() == kind:
		return true
	case token.Kind() != 'n':
		d.err = fmt.Errorf("at byte %d: a JSON %v, want %v", d.tokens.InputOffset(), token.Kind(), kind)
	}
	return false
}

func (d *decoder) close() {
	if d.err == nil {
		_, d.err = d.tokens.ReadToken()
	}
}

func (d *decoder) skip() {
	if d.err == nil {
		d.err = d.tokens.SkipValue()
	}
}

// value returns the bytes of the next value in the event; nil for null.
func (d *decoder) value() []byte {
	if d.err != nil {
		return nil
	}
	value, err := d.tokens.ReadValue()
	if err != nil {
		d.err = err
		return nil
	}
	if value.Kind() == 'n' {
		return nil
	}
	end := int(d.tokens.InputOffset())
	return d.event[end-len(value) : end : end]
}

// text returns the next value, a string, unquoted; nil for null.
func (d *decoder) text() []byte {
	value := d.value()
	switch {
	case value == nil:
		return nil
	case value[0] != '"':
		d.err = fmt.Errorf("at byte %d: a JSON %v, want a string", d.tokens.InputOffset(), jsontext.Value(value).Kind())
		return nil
	case bytes.IndexByte(value, '\\') < 0:
		return value[1 : len(value)-1]
	}
	unquoted, err := jsontext.AppendUnquote([]byte{}, value)
	d.err = err
	return unquoted
}

// end reports an error if data follows the event.
func (d *decoder) end() {
	if d.err != nil {
		return
	}
	if _, err := d.tokens.ReadToken(); !errors.Is(err, io.EOF) {
		d.err = errors.New("data after the JSON object")
	}
}
