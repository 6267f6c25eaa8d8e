package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// plainKinesis is as much of a client of Kinesis as the suite's endpoint needs:
// only package sink may know the real one.
type plainKinesis struct{}

type kinesisRecord struct {
	PartitionKey string
	Data         []byte
}

var client = http.Client{Timeout: 10 * time.Second}

func (plainKinesis) Put(ctx context.Context, stream string, entries []sink.Entry) ([]sink.Failure, error) {
	records := make([]kinesisRecord, len(entries))
	for i, e := range entries {
		records[i] = kinesisRecord(e)
	}
	body, err := json.Marshal(map[string]any{"StreamName": stream, "Records": records})
	if err != nil {
		return nil, fmt.Errorf("PutRecords: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, os.Getenv("AWS_ENDPOINT_URL_KINESIS"), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("PutRecords: %w", err)
	}
	request.Header.Set("X-Amz-Target", "Kinesis_20131202.PutRecords")
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+os.Getenv("AWS_ACCESS_KEY_ID")+"/")
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("PutRecords: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Type    string `json:"__type"`
		Records []struct{ ErrorCode string }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("PutRecords: %w", err)
	}
	switch {
	case strings.HasPrefix(answer.Type, "InvalidArgument"):
		return nil, sink.ErrInvalid
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("PutRecords: %s", answer.Type)
	}
	var failures []sink.Failure
	for i, r := range answer.Records {
		if r.ErrorCode != "" {
			failures = append(failures, sink.Failure{Index: i, Err: sink.ErrThrottled})
		}
	}
	return failures, nil
}
