package archive

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Stages of the pipeline that write dead letters.
const (
	StageDrainer = "drainer"
	StageBridge  = "bridge"
)

// maxLineBytes bounds a line that ReadDeadLetters accepts. It holds 48 MiB in
// base64, three times the largest body.
const maxLineBytes = 64 << 20

// DeadLetter is a record that can never be delivered, or an envelope that cannot be
// decoded. Its JSON is one line of an object under failed/, which a golden test
// holds, because other tools read it.
type DeadLetter struct {
	// Stream is the name of the stream. PutDeadLetters sets it if it is empty.
	Stream string `json:"stream"`
	// Stage is StageDrainer or StageBridge. PutDeadLetters sets it.
	Stage string `json:"stage"`
	// Reason tells an operator why the record cannot be delivered.
	Reason string `json:"reason"`
	// FailedAt is the time at which the record became a dead letter.
	FailedAt time.Time `json:"failedAt,omitzero"`
	// ReceivedAt is the time at which ingest received the record. In a dead letter
	// of the bridge it is the time at which Kinesis received it. Zero if unknown.
	ReceivedAt time.Time `json:"receivedAt,omitzero"`
	// ID is the record's id. In a dead letter of the bridge it is the shard and the
	// sequence number. Empty if unknown.
	ID string `json:"id,omitempty"`
	// PartitionKey is the client's partition key. In a dead letter of the bridge it
	// is the Kinesis partition key.
	PartitionKey string `json:"partitionKey,omitempty"`
	// Body is the original body, without framing.
	Body []byte `json:"body,omitzero"`
	// Envelope is set instead of Body if the envelope cannot be decoded.
	Envelope []byte `json:"envelope,omitzero"`
}

// PutDeadLetters writes records as one object and returns its key,
//
//	failed/<stage>/<stream>/dt=YYYY-MM-DD/hour=HH/<name>.ndjson
//
// with the earliest UTC hour in which one of the records was received. If no time
// of receipt is known, the hour is that of the earliest failure. Each line is one
// record as a JSON object. In text fields, U+FFFD replaces each byte that is not
// UTF-8. The same name and records give the same key, so a repeated call replaces
// its object. streamName can be any text, see DeadLetterPrefix. stage and name
// consist of letters, digits and "._-". The object is built in memory and takes
// 4/3 of the records' bytes.
func (a *Archive) PutDeadLetters(ctx context.Context, stage, streamName, name string, records []DeadLetter) (key string, err error) {
	if err := errors.Join(checkName(stage), checkName(name)); err != nil {
		return "", fmt.Errorf("writing dead letters of %q: %w", streamName, err)
	}
	if len(records) == 0 {
		return "", fmt.Errorf("writing dead letters of %q: there are none", streamName)
	}
	size := 0
	for _, r := range records {
		size += base64.StdEncoding.EncodedLen(len(r.Body)+len(r.Envelope)) + 512
	}
	buf := bytes.NewBuffer(make([]byte, 0, size))
	lines := json.NewEncoder(buf)
	lines.SetEscapeHTML(false)
	for i, r := range records {
		line, err := r.normal(stage, streamName)
		if err == nil {
			err = lines.Encode(line)
		}
		if err != nil {
			return "", fmt.Errorf("writing dead letter %d of %q: %w", i, streamName, err)
		}
	}
	key = DeadLetterPrefix(stage, streamName) + stream.TimeFolder(deadLetterTime(records)) + name + ".ndjson"
	if err := a.store.Put(ctx, key, buf.Bytes()); err != nil {
		return "", a.writing(key, err)
	}
	return key, nil
}

// DeadLetterPrefix returns the prefix of the keys of one stage's dead letters of
// one stream. streamName can come from outside, for example from a Redis key:
// characters that streams.json does not allow are escaped.
func DeadLetterPrefix(stage, streamName string) string {
	return "failed/" + stage + "/" + escape(streamName) + "/"
}

// normal returns r as PutDeadLetters writes it.
func (r DeadLetter) normal(stage, streamName string) (DeadLetter, error) {
	switch {
	case !isWritable(r.FailedAt):
		return DeadLetter{}, fmt.Errorf("failed at %v, want a time of the years 1 to 9999", r.FailedAt)
	case r.Reason == "":
		return DeadLetter{}, errors.New("no reason")
	case r.Body != nil && r.Envelope != nil:
		return DeadLetter{}, errors.New("has both a body and an envelope")
	case r.Body == nil && r.Envelope == nil:
		r.Body = []byte{}
	}
	r.Stage, r.Stream, r.FailedAt = stage, cmp.Or(r.Stream, streamName), r.FailedAt.UTC()
	if isWritable(r.ReceivedAt) {
		r.ReceivedAt = r.ReceivedAt.UTC()
	} else {
		r.ReceivedAt = time.Time{}
	}
	return r, nil
}

// isWritable reports whether t can be written as JSON. A foreign envelope can
// hold any time, which must not prevent the record from becoming a dead letter.
func isWritable(t time.Time) bool {
	year := t.UTC().Year()
	return !t.IsZero() && 1 <= year && year <= 9999
}

func deadLetterTime(records []DeadLetter) time.Time {
	var received time.Time
	failed := records[0].FailedAt
	for _, r := range records {
		if isWritable(r.ReceivedAt) && (received.IsZero() || r.ReceivedAt.Before(received)) {
			received = r.ReceivedAt
		}
		if r.FailedAt.Before(failed) {
			failed = r.FailedAt
		}
	}
	if received.IsZero() {
		return failed
	}
	return received
}

// ReadDeadLetters calls each with every record of an object that PutDeadLetters
// wrote. It holds one line of at most 64 MiB in memory. It stops at the first
// error: an error of r, an error of each, or a malformed line.
func ReadDeadLetters(r io.Reader, each func(DeadLetter) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLineBytes)
	n := 0
	for lines.Scan() {
		n++
		record, err := parseDeadLetter(lines.Bytes())
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if err := each(record); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", n+1, err)
	}
	return nil
}

func parseDeadLetter(line []byte) (DeadLetter, error) {
	var r DeadLetter
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return DeadLetter{}, fmt.Errorf("not a dead letter: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return DeadLetter{}, errors.New("data after the JSON object")
	}
	switch {
	case r.Stage == "":
		return DeadLetter{}, errors.New("stage: missing")
	case r.Reason == "":
		return DeadLetter{}, errors.New("reason: missing")
	case !isWritable(r.FailedAt):
		return DeadLetter{}, errors.New("failedAt: missing or beyond the year 9999")
	case r.Body == nil && r.Envelope == nil:
		return DeadLetter{}, errors.New("body and envelope: both missing")
	case r.Body != nil && r.Envelope != nil:
		return DeadLetter{}, errors.New("body and envelope: want only one")
	}
	return r, nil
}
