package failed

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"time"
)

// parseFirehose reads the records that Firehose could not write: one JSON object a
// line.
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

// lambdaHead is the number of bytes at the beginning of an object of Lambda that
// name the stream: the event comes behind them.
const lambdaHead = 4 << 10

var streamARN = regexp.MustCompile(`arn:[a-z-]+:kinesis:[a-z0-9-]+:[0-9]+:stream/[a-zA-Z0-9_.-]+`)

// streamOfARN returns the name of the stream of a Kinesis stream. Neither the name
// of a deployment nor the name of a stream contains a full stop.
func streamOfARN(arn string) string {
	_, resource, _ := strings.Cut(arn, ":stream/")
	if _, name, ok := strings.Cut(resource, "."); ok {
		return name
	}
	return resource
}

// parseLambda reads a batch that Lambda gave up: one JSON object that contains the
// whole event, as text or as an object.
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
