// Package envelope encodes a record for the queue.
//
// The encoding is a MessagePack array of five elements:
//
//	[stream str, received_at timestamp (ext -1), id str, partition_key str, body bin]
//
// The bytes are a contract between deployed versions, held by golden tests. A
// later version may only append elements. A decoder ignores elements that it does
// not know, so old and new functions can run side by side during a deploy.
package envelope

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// elements is the number of array elements that this version writes and requires.
const elements = 5

// Record is one body that a client sent, with its metadata.
type Record struct {
	// Stream is the name of the stream, as in streams.json.
	Stream string
	// ReceivedAt is the time at which ingest received the record, by its own clock.
	ReceivedAt time.Time
	// ID is a UUID in its canonical text form.
	ID string
	// PartitionKey is the client's partition key, or empty.
	PartitionKey string
	// Body is the body, content-decoded if the stream's format requires it.
	Body []byte
}

// KinesisKey returns the Kinesis partition key: the client's key, or else the id.
func (r Record) KinesisKey() string {
	if r.PartitionKey != "" {
		return r.PartitionKey
	}
	return r.ID
}

// Encode returns the envelope of r in a new buffer.
func Encode(r Record) ([]byte, error) {
	// 64 covers the array header, the timestamp and the length prefixes.
	buf := bytes.NewBuffer(make([]byte, 0, 64+len(r.Stream)+len(r.ID)+len(r.PartitionKey)+len(r.Body)))
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(buf)
	err := errors.Join(
		enc.EncodeArrayLen(elements),
		enc.EncodeString(r.Stream),
		enc.EncodeTime(r.ReceivedAt),
		enc.EncodeString(r.ID),
		enc.EncodeString(r.PartitionKey),
		encodeBin(enc, r.Body),
	)
	if err != nil {
		return nil, fmt.Errorf("encoding envelope: %w", err)
	}
	return buf.Bytes(), nil
}

// encodeBin writes a nil body as an empty bin, where the library writes nil.
func encodeBin(enc *msgpack.Encoder, body []byte) error {
	if body == nil {
		body = []byte{}
	}
	return enc.EncodeBytes(body)
}

// Decode returns the record in the envelope b. The record's Body aliases b, so the
// caller must not change b while the record is in use. Decode returns an error if
// b is not an array of five or more elements of the documented types, or if bytes
// follow the array. The error says what was found and never contains a part of the
// body.
func Decode(b []byte) (Record, error) {
	d := newDecoder(b)
	defer d.free()
	r := d.head()
	r.ID = d.str("id")
	r.PartitionKey = d.str("partition_key")
	r.Body = d.bin("body")
	d.end()
	if d.err != nil {
		return Record{}, fmt.Errorf("decoding envelope of %d bytes: %w", len(b), d.err)
	}
	return r, nil
}

// ReceivedAt returns the time of receipt from the beginning of an envelope. The
// first 64 bytes are always enough.
func ReceivedAt(b []byte) (time.Time, error) {
	d := newDecoder(b)
	defer d.free()
	r := d.head()
	if d.err != nil {
		return time.Time{}, fmt.Errorf("decoding the time of an envelope: %w", d.err)
	}
	return r.ReceivedAt, nil
}

// decoder reads one element after another and keeps the first error.
type decoder struct {
	b       []byte
	r       bytes.Reader
	msgpack *msgpack.Decoder
	length  int
	err     error
}

var decoders = sync.Pool{New: func() any { return &decoder{msgpack: msgpack.NewDecoder(nil)} }}

func newDecoder(b []byte) *decoder {
	d := decoders.Get().(*decoder)
	d.b, d.length, d.err = b, 0, nil
	d.r.Reset(b)
	d.msgpack.Reset(&d.r)
	return d
}

func (d *decoder) free() {
	d.b = nil
	d.r.Reset(nil)
	decoders.Put(d)
}

// head reads the elements before the id: stream and time.
func (d *decoder) head() Record {
	if d.expect("an array", "array", isArray) {
		d.length, d.err = d.msgpack.DecodeArrayLen()
	}
	if d.err == nil && d.length < elements {
		d.err = fmt.Errorf("array of %d elements, want %d or more", d.length, elements)
	}
	stream := d.str("stream")
	return Record{Stream: stream, ReceivedAt: d.time("received_at")}
}

// expect reports whether the next element has the wanted type.
func (d *decoder) expect(want, element string, is func(code byte) bool) bool {
	if d.err != nil {
		return false
	}
	code, err := d.msgpack.PeekCode()
	switch {
	case err != nil:
		d.err = fmt.Errorf("%s: %w", element, unexpectedEnd(err))
	case !is(code):
		d.err = fmt.Errorf("%s: MessagePack code 0x%02x, want %s", element, code, want)
	}
	return d.err == nil
}

func (d *decoder) str(element string) string {
	if !d.expect("a string", element, msgpcode.IsString) {
		return ""
	}
	b := d.span(element)
	return string(b)
}

func (d *decoder) bin(element string) []byte {
	if !d.expect("a bin", element, msgpcode.IsBin) {
		return nil
	}
	return d.span(element)
}

// span returns the bytes of a string or bin without copying them. It compares the
// stated length with the remaining bytes first, so that a hostile length does not
// cause an allocation.
func (d *decoder) span(element string) []byte {
	n, err := d.msgpack.DecodeBytesLen()
	if err != nil {
		d.err = fmt.Errorf("%s: %w", element, unexpectedEnd(err))
		return nil
	}
	if n < 0 || n > d.r.Len() {
		d.err = fmt.Errorf("%s: length is %d bytes, but only %d bytes remain", element, n, d.r.Len())
		return nil
	}
	start := len(d.b) - d.r.Len()
	if _, err := d.r.Seek(int64(n), io.SeekCurrent); err != nil {
		d.err = fmt.Errorf("%s: %w", element, err)
		return nil
	}
	return d.b[start : start+n : start+n]
}

func (d *decoder) time(element string) time.Time {
	if !d.expect("a timestamp", element, isTimestamp) {
		return time.Time{}
	}
	t, err := d.msgpack.DecodeTime()
	if err != nil {
		d.err = fmt.Errorf("%s: %w", element, unexpectedEnd(err))
	}
	return t.UTC()
}

// end refuses trailing bytes. It does not read the elements of a later version,
// because skipping nested elements would let an envelope choose the stack depth.
func (d *decoder) end() {
	if d.err == nil && d.length == elements && d.r.Len() > 0 {
		d.err = fmt.Errorf("%d bytes after the array", d.r.Len())
	}
}

func isArray(code byte) bool {
	return msgpcode.IsFixedArray(code) || code == msgpcode.Array16 || code == msgpcode.Array32
}

// isTimestamp reports whether an element can be a timestamp: an extension of 4, 8
// or 12 bytes. For a longer extension, the library would trust the length and
// allocate up to 4 GiB before it finds that the bytes are missing.
// https://github.com/msgpack/msgpack/blob/master/spec.md#timestamp-extension-type
func isTimestamp(code byte) bool {
	return code == msgpcode.FixExt4 || code == msgpcode.FixExt8 || code == msgpcode.Ext8
}

func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
