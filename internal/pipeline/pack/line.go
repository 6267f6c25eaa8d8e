package pack

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/data-sink/data-sink/internal/pipeline/logline"
)

// LogPacked is the message of the log line of a packed record that Firehose
// accepted.
const LogPacked = "packed"

// Line is the log line of one packed record that Firehose accepted.
type Line struct {
	// LoggedAt is when the line was written.
	LoggedAt time.Time
	// Stream is the stream's name.
	Stream string
	// Bytes is the length of the packed record, Records the number of records in
	// it, and Hash the xxHash64 of its bytes.
	Bytes, Records int
	Hash           uint64
	// Shard is the ID of the Kinesis shard; it is empty where the event does not
	// have it. FirstSequence and LastSequence are the sequence numbers of the first
	// and the last record. All three are empty for records that the drainer put to
	// Firehose, because they were never on the tap.
	Shard, FirstSequence, LastSequence string
}

// FromTap reports whether the records were on the tap, so that the bridge put them to
// Firehose. The drainer puts the other records to Firehose itself.
func (l Line) FromTap() bool { return l.FirstSequence != "" }

// Line returns the log line of the record, without the shard and the sequence numbers.
func (p Packed) Line(streamName string) Line {
	return Line{Stream: streamName, Bytes: len(p.Body), Records: p.End - p.First, Hash: xxhash.Sum64(p.Body)}
}

// Log writes the line to log at level INFO. The logger adds the time.
func (l Line) Log(ctx context.Context, log *slog.Logger) {
	attributes := []any{"stream", l.Stream, "bytes", l.Bytes, "records", l.Records, "hash", fmt.Sprintf("%016x", l.Hash)}
	if l.FromTap() {
		attributes = append(attributes, "shard", l.Shard, "firstSequence", l.FirstSequence, "lastSequence", l.LastSequence)
	}
	log.InfoContext(ctx, LogPacked, attributes...)
}

// ParseLine parses one line of a log; see logline.Parse. ok is false, without an
// error, for a line with another message. A line of a packed record is an error if it
// lacks an attribute. It may lack the shard, and both sequence numbers.
func ParseLine(text []byte) (l Line, ok bool, err error) {
	f, ok := logline.Parse(text, LogPacked)
	if !ok {
		return Line{}, false, nil
	}
	l = Line{
		LoggedAt: f.LoggedAt, Stream: f.Text("stream"), Bytes: f.Number("bytes"), Records: f.Number("records"),
		Shard: f.Text("shard"), FirstSequence: f.Text("firstSequence"), LastSequence: f.Text("lastSequence"),
	}
	l.Hash, err = strconv.ParseUint(f.Text("hash"), 16, 64)
	if err != nil || !l.complete() {
		return Line{}, false, fmt.Errorf("parsing the log line of a packed record: malformed line %.300q", text)
	}
	return l, true, nil
}

func (l Line) complete() bool {
	sequenced := (l.FirstSequence == "") == (l.LastSequence == "")
	return !l.LoggedAt.IsZero() && l.Stream != "" && sequenced && l.Bytes > 0 && l.Records > 0
}
