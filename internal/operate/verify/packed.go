package verify

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/bridge"
)

// Packed is one Firehose record that the bridge logged as delivered.
type Packed struct {
	LoggedAt time.Time
	// Stream is the stream's name.
	Stream string
	// Bytes is the length, Records the number of records packed into it, and Hash
	// the xxHash64 of its bytes.
	Bytes, Records int
	Hash           uint64
	// Shard, where the log tells it, and the sequence numbers of the first and
	// the last record.
	Shard, FirstSequence, LastSequence string
}

// line is a line of the bridge's log, with slog's names for time and message or
// with those of Lambda.
type line struct {
	Msg           string    `json:"msg"`
	Message       string    `json:"message"`
	Time          time.Time `json:"time"`
	Timestamp     time.Time `json:"timestamp"`
	Stream        string    `json:"stream"`
	Bytes         int       `json:"bytes"`
	Records       int       `json:"records"`
	Hash          string    `json:"hash"`
	Shard         string    `json:"shard"`
	FirstSequence string    `json:"firstSequence"`
	LastSequence  string    `json:"lastSequence"`
}

// ParsePacked reads a line of the bridge's log, which is JSON, or text as slog
// writes it where Lambda asks for that. ok is false for a line that says something
// else.
func ParsePacked(text []byte) (p Packed, ok bool, err error) {
	l, isLine := parseJSON(text)
	if !isLine {
		l = parseText(string(text))
	}
	if l.Msg != bridge.LogPacked && l.Message != bridge.LogPacked {
		return Packed{}, false, nil
	}
	p = Packed{
		LoggedAt: l.Time, Stream: l.Stream, Bytes: l.Bytes, Records: l.Records,
		Shard: l.Shard, FirstSequence: l.FirstSequence, LastSequence: l.LastSequence,
	}
	if p.LoggedAt.IsZero() {
		p.LoggedAt = l.Timestamp
	}
	p.Hash, err = strconv.ParseUint(l.Hash, 16, 64)
	if err != nil || p.LoggedAt.IsZero() || p.Stream == "" || p.Bytes <= 0 || p.Records <= 0 || p.FirstSequence == "" || p.LastSequence == "" {
		return Packed{}, false, fmt.Errorf("reading the bridge's log: malformed line %.300q", text)
	}
	return p, true, nil
}

func parseJSON(text []byte) (l line, ok bool) {
	ok = json.Unmarshal(text, &l) == nil
	return l, ok
}

// parseText reads key=value pairs. Those of a packed record need no quotes.
func parseText(text string) line {
	pairs := make(map[string]string)
	for pair := range strings.FieldsSeq(text) {
		if key, value, ok := strings.Cut(pair, "="); ok {
			pairs[key] = value
		}
	}
	l := line{
		Msg: pairs["msg"], Message: pairs["message"], Stream: pairs["stream"], Hash: pairs["hash"],
		Shard: pairs["shard"], FirstSequence: pairs["firstSequence"], LastSequence: pairs["lastSequence"],
	}
	// What is malformed stays zero, and is found by that.
	l.Time, _ = time.Parse(time.RFC3339Nano, pairs["time"])
	l.Timestamp, _ = time.Parse(time.RFC3339Nano, pairs["timestamp"])
	l.Bytes, _ = strconv.Atoi(pairs["bytes"])
	l.Records, _ = strconv.Atoi(pairs["records"])
	return l
}
