package chaos

import (
	"errors"
	"strconv"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/lambdatest"
)

func TestARecordThatFailsAgainCountsItsPackedRecordOnly(t *testing.T) {
	t.Parallel()
	s := &suite{settings: settings{bridges: 2}, functions: &functions{bridge: lambdatest.New(lambdatest.Options{})}}
	b := &bridgeInvoker{suite: s, stream: lookup(t, "orders"), heads: make(map[string]head)}
	// Two records fit into one Firehose record.
	left := make([]events.KinesisEventRecord, 5)
	for i := range left {
		left[i].EventID = "shardId-000000000000:" + strconv.Itoa(i)
		left[i].Kinesis.Data = make([]byte, stream.MaxFramedBytes/2-1)
	}
	var got []int
	for range 3 {
		got = append(got, b.repeated(left, nil))
	}
	got = append(got, b.repeated(left, errors.New("killed")), b.repeated(left[1:], nil), b.repeated(nil, nil))
	// Two environments may send the batch. After that one packed record is sent. An
	// invocation that ended may have sent all, and another record begins anew.
	if diff := cmp.Diff([]int{5, 5, 2, 5, 4, 0}, got); diff != "" {
		t.Errorf("records that may arrive again differ (-want +got):\n%s", diff)
	}
}
