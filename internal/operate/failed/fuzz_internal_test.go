package failed

import (
	"bytes"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
)

func FuzzParse(f *testing.F) {
	f.Add(StageFirehose, []byte(`{"arrivalTimestamp":1,"errorCode":"x","errorMessage":"y","attemptEndingTimestamp":2,"rawData":"YQ=="}`))
	f.Add(StageLambda, []byte(`{"requestContext":{"condition":"c"},"timestamp":"2026-11-22T23:05:00Z","payload":"{\"Records\":[{\"eventID\":\"s:1\",\"kinesis\":{\"data\":\"YQ==\"}}]}"}`))
	f.Add(archive.StageDrainer, []byte(`{"stream":"orders","stage":"drainer","reason":"r","failedAt":"2026-11-22T23:05:00Z","envelope":"YQ=="}`))
	f.Fuzz(func(t *testing.T, stage string, content []byte) {
		o := Object{Stage: stage, Stream: "orders"}
		_ = parse(o, bytes.NewReader(content), func(r Record) error {
			if r.Body == nil && r.Envelope == nil || r.Body != nil && r.Envelope != nil {
				t.Errorf("%s %q has a record with a body of %v and an envelope of %v", stage, content, r.Body, r.Envelope)
			}
			return nil
		})
	})
}
