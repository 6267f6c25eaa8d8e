package cloud

import "github.com/data-sink/data-sink/internal/pipeline/sink"

// PutResult is what happened to one record of PutRecords or PutRecordBatch: it has an ID
// or an error.
type PutResult struct {
	// ShardID is the shard of a Kinesis record.
	ShardID string
	// ID is the sequence number of a Kinesis record, or Firehose's id of a record.
	ID  string
	Err *Error
}

// failures returns the records that were refused, for the pipeline's writer.
func failures(results []PutResult) []sink.Failure {
	var failed []sink.Failure
	for i, r := range results {
		if r.Err != nil {
			failed = append(failed, sink.Failure{Index: i, Err: r.Err})
		}
	}
	return failed
}
