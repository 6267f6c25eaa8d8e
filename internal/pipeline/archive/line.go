package archive

import (
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/data-sink/data-sink/internal/pipeline/logline"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// LogArchived is the message of the log line of a direct record that was written.
const LogArchived = "record_archived"

// Line is the log line of one direct record that was written.
type Line struct {
	// LoggedAt is when the line was written.
	LoggedAt time.Time
	// Stream is the stream's name, and Reason why the record is a direct record.
	Stream string
	Reason Reason
	// Records is the number of records in the object. It is at least 1; a direct
	// record of a batch can hold many.
	Records int
	// Bytes is the length of the body before framing and compression.
	Bytes int
	// Hash is the Hash of the body. It is empty in the lines of older versions.
	Hash string
	// Key is the key of the object.
	Key string
}

// Hash returns the xxhash64 of a body in the form that the object of a direct record
// holds before compression, as 16 hexadecimal digits.
func Hash(format stream.Format, body []byte) string {
	digest := xxhash.New()
	_, _ = digest.Write(body) // It never fails.
	if format.FramedLen(body) > len(body) {
		_, _ = digest.WriteString("\n")
	}
	return HashText(digest.Sum64())
}

// HashText returns an xxhash64 in the form of Line.Hash.
func HashText(sum uint64) string { return fmt.Sprintf("%016x", sum) }

// ParseLine parses one line of a log; see logline.Parse. ok is false, without an
// error, for a line with another message. A line of a direct record is an error if it
// lacks the time, the stream or the key.
func ParseLine(text []byte) (l Line, ok bool, err error) {
	f, ok := logline.Parse(text, LogArchived)
	if !ok {
		return Line{}, false, nil
	}
	l = Line{
		LoggedAt: f.LoggedAt, Stream: f.Text("stream"), Reason: Reason(f.Text("reason")), Records: max(f.Number("records"), 1),
		Bytes: f.Number("bytes"), Hash: f.Text("hash"), Key: f.Text("key"),
	}
	if l.LoggedAt.IsZero() || l.Stream == "" || l.Key == "" {
		return Line{}, false, fmt.Errorf("parsing the log line of a direct record: malformed line %.300q", text)
	}
	return l, true, nil
}
