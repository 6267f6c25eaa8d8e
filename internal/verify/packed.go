package verify

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/data-sink/data-sink/internal/bridge"
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

// ParsePacked reads a line of the bridge's log: a JSON object of slog, with its
// own names for time and message or those of Lambda. ok is false for a line that
// says something else.
func ParsePacked(line []byte) (p Packed, ok bool, err error) {
	var l struct {
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
	if json.Unmarshal(line, &l) != nil || l.Msg != bridge.LogPacked && l.Message != bridge.LogPacked {
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
		return Packed{}, false, fmt.Errorf("reading the bridge's log: malformed line %.300q", line)
	}
	return p, true, nil
}
