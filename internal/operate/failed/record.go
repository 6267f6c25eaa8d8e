package failed

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/klauspost/compress/gzip"
)

// Record is one record that was given up.
type Record struct {
	Stage  string `json:"stage"`
	Stream string `json:"stream"`
	// Reason says why it was given up.
	Reason string `json:"reason"`
	// FailedAt is when it was given up, ReceivedAt when ingest or Kinesis took it,
	// as far as known.
	FailedAt   time.Time `json:"failedAt,omitzero"`
	ReceivedAt time.Time `json:"receivedAt,omitzero"`
	// ID is the record's id, or its shard and sequence number on the tap.
	ID           string `json:"id,omitempty"`
	PartitionKey string `json:"partitionKey,omitempty"`
	// Body is the record's body. For one that Firehose gave up it is a packed
	// record: one or many bodies, framed as they would stand in an object.
	Body []byte `json:"body,omitzero"`
	// Envelope stands instead of Body when it cannot be decoded.
	Envelope []byte `json:"envelope,omitzero"`
}

// Records yields the records of an object, in order.
func Records(ctx context.Context, b *bucket.Bucket, o Object) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		stored, err := b.Open(ctx, o.Key)
		if err != nil {
			yield(Record{}, err)
			return
		}
		defer func() { _ = stored.Close() }()
		err = parse(o, stored, func(r Record) error {
			if !yield(r, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(Record{}, fmt.Errorf("reading %s: %w", o.Key, err))
		}
	}
}

func parse(o Object, stored io.Reader, each func(Record) error) error {
	// Firehose may compress what it gives up, too.
	buffered := bufio.NewReader(stored)
	var r io.Reader = buffered
	if magic, err := buffered.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return err
		}
		r = z
	}
	switch o.Stage {
	case StageFirehose:
		return parseFirehose(r, o.Stream, each)
	case StageLambda:
		return parseLambda(r, each)
	}
	return archive.ReadDeadLetters(r, func(a archive.DeadLetter) error {
		return each(recordOf(a))
	})
}

func recordOf(a archive.DeadLetter) Record {
	r := Record{
		Stage: a.Stage, Stream: a.Stream, Reason: a.Reason, FailedAt: a.FailedAt, ReceivedAt: a.ReceivedAt,
		ID: a.ID, PartitionKey: a.PartitionKey, Body: a.Body, Envelope: a.Envelope,
	}
	if a.Envelope == nil {
		return r
	}
	// What an older drainer could not decode this command perhaps can.
	if e, err := envelope.Decode(a.Envelope); err == nil {
		r.ID, r.PartitionKey, r.ReceivedAt, r.Body, r.Envelope = e.ID, e.PartitionKey, e.ReceivedAt, e.Body, nil
	}
	return r
}

// parseFirehose reads the form in which Firehose writes what it gave up: one JSON
// object a line.
// https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
func parseFirehose(r io.Reader, stream string, each func(Record) error) error {
	for d, n := json.NewDecoder(r), 1; ; n++ {
		var line struct {
			Arrival int64   `json:"arrivalTimestamp"` // ms
			Ended   int64   `json:"attemptEndingTimestamp"`
			Code    string  `json:"errorCode"`
			Message string  `json:"errorMessage"`
			Data    *[]byte `json:"rawData"`
		}
		err := d.Decode(&line)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("record %d of Firehose: %w", n, err)
		}
		if line.Data == nil {
			return fmt.Errorf("record %d of Firehose: rawData: missing", n)
		}
		err = each(Record{
			Stage: StageFirehose, Stream: stream, Reason: strings.TrimSuffix(line.Code+": "+line.Message, ": "),
			FailedAt: millis(line.Ended), ReceivedAt: millis(line.Arrival), Body: *line.Data,
		})
		if err != nil {
			return err
		}
	}
}

func millis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// lambdaHead is how much of an object of Lambda surely names the stream: the
// event stands behind that.
const lambdaHead = 4 << 10

var streamARN = regexp.MustCompile(`arn:[a-z-]+:kinesis:[a-z0-9-]+:[0-9]+:stream/[a-zA-Z0-9_.-]+`)

// streamOfARN is the name of the stream whose Kinesis stream that is: no name of
// a deployment or of a stream has a full stop.
func streamOfARN(arn string) string {
	_, resource, _ := strings.Cut(arn, ":stream/")
	if _, name, ok := strings.Cut(resource, "."); ok {
		return name
	}
	return resource
}

// parseLambda reads the form in which Lambda writes a batch that it gave up: one
// JSON object, with the whole event in it, as text or as an object.
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
func parseLambda(r io.Reader, each func(Record) error) error {
	var batch struct {
		Context struct {
			Condition string `json:"condition"`
		} `json:"requestContext"`
		Timestamp time.Time       `json:"timestamp"`
		Event     json.RawMessage `json:"payload"`
	}
	if err := json.NewDecoder(r).Decode(&batch); err != nil {
		return fmt.Errorf("a batch of Lambda: %w", err)
	}
	event := []byte(batch.Event)
	if len(event) > 0 && event[0] == '"' {
		var text string
		if err := json.Unmarshal(event, &text); err != nil {
			return fmt.Errorf("a batch of Lambda: %w", err)
		}
		event = []byte(text)
	}
	var records struct {
		Records []struct {
			ID      string `json:"eventID"`
			ARN     string `json:"eventSourceARN"`
			Kinesis struct {
				Data         *[]byte `json:"data"`
				PartitionKey string  `json:"partitionKey"`
				Arrival      float64 `json:"approximateArrivalTimestamp"` // s
			} `json:"kinesis"`
		}
	}
	if err := json.Unmarshal(event, &records); err != nil {
		return fmt.Errorf("the event of a batch of Lambda: %w", err)
	}
	if len(records.Records) == 0 {
		return errors.New("a batch of Lambda without its records: the destination kept no bodies")
	}
	for i, k := range records.Records {
		if k.Kinesis.Data == nil {
			return fmt.Errorf("record %d of a batch of Lambda: data: missing", i)
		}
		err := each(Record{
			Stage: StageLambda, Stream: streamOfARN(k.ARN), Reason: batch.Context.Condition, FailedAt: batch.Timestamp.UTC(),
			ReceivedAt: millis(int64(math.Round(k.Kinesis.Arrival * 1000))), ID: k.ID, PartitionKey: k.Kinesis.PartitionKey, Body: *k.Kinesis.Data,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
