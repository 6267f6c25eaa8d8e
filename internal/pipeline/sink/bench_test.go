package sink_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// BenchmarkPut measures the splitting into calls. The service answers at once.
func BenchmarkPut(b *testing.B) {
	tenth := make([]sink.Failure, 50)
	for i := range tenth {
		tenth[i] = sink.Failure{Index: 10 * i, Err: errThrottled}
	}
	for _, bm := range []struct {
		name          string
		entries, size int
		failures      []sink.Failure // of each full call
	}{
		{"500x1KiB", 500, 1024, nil},
		{"10000x100B", 10_000, 100, nil},
		{"10000x100B/tenth refused", 10_000, 100, tenth},
		{"100x900kB", 100, 900_000, nil},
	} {
		b.Run(bm.name, func(b *testing.B) {
			entries := same(bm.entries, bm.size)
			w := sink.Writer{
				Limits: sink.KinesisLimits, BaseDelay: 1, // refused entries do not wait
				Service: fakeService{func(_ context.Context, _ string, call []sink.Entry) ([]sink.Failure, error) {
					if len(call) < sink.KinesisLimits.Entries {
						return nil, nil
					}
					return bm.failures, nil
				}},
			}
			b.SetBytes(int64(bm.entries * bm.size))
			b.ReportAllocs()
			for b.Loop() {
				if got := w.Put(b.Context(), "s", entries); got.Left != nil {
					b.Fatal(got.Err)
				}
			}
		})
	}
}

// BenchmarkAdapter measures an adapter without its SDK client.
func BenchmarkAdapter(b *testing.B) {
	for _, refused := range []int{0, 500} {
		for _, bm := range []struct {
			name    string
			service sink.Service
		}{
			{"kinesis", sink.NewKinesis(instantKinesis{refused})},
			{"firehose", sink.NewFirehose(instantFirehose{refused})},
		} {
			b.Run(fmt.Sprintf("%s/500x1KiB/%d refused", bm.name, refused), func(b *testing.B) {
				entries := same(500, 1024)
				b.ReportAllocs()
				for b.Loop() {
					failures, err := bm.service.Put(b.Context(), "s", entries)
					if err != nil || len(failures) != refused {
						b.Fatalf("Put = %d failures, %v", len(failures), err)
					}
				}
			})
		}
	}
}

// same returns n entries with the same key and data.
func same(n, size int) []sink.Entry {
	entries := make([]sink.Entry, n)
	data := bytes.Repeat([]byte("x"), size)
	for i := range entries {
		entries[i] = sink.Entry{PartitionKey: "019ab1c2-7e5f-7cc1-98c4-dc0c0c07398f", Data: data}
	}
	return entries
}

// The instant clients throttle the first entries of each call.
type (
	instantKinesis  struct{ refused int }
	instantFirehose struct{ refused int }
)

func (c instantKinesis) PutRecords(_ context.Context, in *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	out := &kinesis.PutRecordsOutput{Records: make([]kinesistypes.PutRecordsResultEntry, len(in.Records))}
	for i := range c.refused {
		out.Records[i].ErrorCode = new("ProvisionedThroughputExceededException")
	}
	return out, nil
}

func (c instantFirehose) PutRecordBatch(_ context.Context, in *firehose.PutRecordBatchInput, _ ...func(*firehose.Options)) (*firehose.PutRecordBatchOutput, error) {
	out := &firehose.PutRecordBatchOutput{RequestResponses: make([]firehosetypes.PutRecordBatchResponseEntry, len(in.Records))}
	for i := range c.refused {
		out.RequestResponses[i].ErrorCode = new("ServiceUnavailableException")
	}
	return out, nil
}
