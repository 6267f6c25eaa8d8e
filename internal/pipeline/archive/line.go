package archive

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
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

// ParseLine parses one line of a log: JSON, with slog's or Lambda's names for
// time and message, or slog's text form. ok is false, without an error, for a
// line with another message.
func ParseLine(text []byte) (l Line, ok bool, err error) {
	var f lineFields
	if json.Unmarshal(text, &f) != nil {
		f = parseText(string(text))
	}
	if f.Msg != LogArchived && f.Message != LogArchived {
		return Line{}, false, nil
	}
	l = Line{LoggedAt: f.Time, Stream: f.Stream, Reason: f.Reason, Records: max(f.Records, 1), Bytes: f.Bytes, Hash: f.Hash, Key: f.Key}
	if l.LoggedAt.IsZero() {
		l.LoggedAt = f.Timestamp
	}
	if l.LoggedAt.IsZero() || l.Stream == "" || l.Key == "" {
		return Line{}, false, fmt.Errorf("parsing the log line of a direct record: malformed line %.300q", text)
	}
	return l, true, nil
}

// lineFields are the attributes of a line.
type lineFields struct {
	Msg       string    `json:"msg"`
	Message   string    `json:"message"`
	Time      time.Time `json:"time"`
	Timestamp time.Time `json:"timestamp"`
	Stream    string    `json:"stream"`
	Reason    Reason    `json:"reason"`
	Records   int       `json:"records"`
	Bytes     int       `json:"bytes"`
	Hash      string    `json:"hash"`
	Key       string    `json:"key"`
}

// parseText parses key=value pairs. The values of the attributes that are needed have no
// spaces; slog quotes those with an equals sign, such as a key. A malformed value stays
// zero.
func parseText(text string) lineFields {
	pairs := make(map[string]string)
	for pair := range strings.FieldsSeq(text) {
		if key, value, ok := strings.Cut(pair, "="); ok {
			if unquoted, err := strconv.Unquote(value); err == nil {
				value = unquoted
			}
			pairs[key] = value
		}
	}
	f := lineFields{
		Msg: pairs["msg"], Message: pairs["message"], Stream: pairs["stream"], Reason: Reason(pairs["reason"]), Hash: pairs["hash"], Key: pairs["key"],
	}
	f.Time, _ = time.Parse(time.RFC3339Nano, pairs["time"])
	f.Timestamp, _ = time.Parse(time.RFC3339Nano, pairs["timestamp"])
	f.Records, _ = strconv.Atoi(pairs["records"])
	f.Bytes, _ = strconv.Atoi(pairs["bytes"])
	return f
}
