package sink_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/google/go-cmp/cmp"
)

// unknownProtocol is a protocol that the adapters do not replace.
type unknownProtocol struct{ smithyhttp.ClientProtocol }

func (p unknownProtocol) ID() smithy.ShapeID { return smithy.ShapeID{Name: "unknown"} }

// The adapter recognizes the usual answer without parsing it. Its result must always
// be the same as if the SDK had parsed the answer.
func TestAnswersMeanWhatTheSDKReads(t *testing.T) {
	t.Parallel()
	const (
		taken   = `{"SequenceNumber":"49590","ShardId":"shardId-000000000000"}`
		refused = `{"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"Rate exceeded"}`
	)
	for name, tt := range map[string]struct {
		answer string
		quick  bool // whether the answer is recognized without parsing
	}{
		"all taken":                {`{"FailedRecordCount":0,"Records":[` + taken + `,` + taken + `,` + taken + `]}`, true},
		"as an encrypted stream":   {`{"EncryptionType":"KMS","FailedRecordCount":0,"Records":[` + taken + `,` + taken + `,` + taken + `]}`, true},
		"in another order":         {`{"Records":[` + taken + `,` + taken + `,` + taken + `],"FailedRecordCount":0}`, false},
		"with spaces":              {`{"FailedRecordCount": 0, "Records": [` + taken + `, ` + taken + `, ` + taken + `]}`, false},
		"with nulls":               {`{"FailedRecordCount":0,"Records":[` + strings.Repeat(`{"SequenceNumber":"1","ErrorCode":null},`, 2) + taken + `]}`, false},
		"one refused":              {`{"FailedRecordCount":1,"Records":[` + taken + `,` + refused + `,` + taken + `]}`, false},
		"one refused, not counted": {`{"FailedRecordCount":0,"Records":[` + taken + `,` + refused + `,` + taken + `]}`, false},
		"all refused":              {`{"FailedRecordCount":3,"Records":[` + refused + `,` + refused + `,` + refused + `]}`, false},
		"too few":                  {`{"FailedRecordCount":0,"Records":[` + taken + `]}`, false},
		"too many":                 {`{"FailedRecordCount":0,"Records":[` + strings.Repeat(taken+`,`, 3) + taken + `]}`, false},
		"cut off":                  {`{"FailedRecordCount":0,"Records":[` + taken + `,` + taken + `,` + taken, false},
		"no records":               {`{"FailedRecordCount":0}`, false},
		"nothing":                  {``, false},
		"another's":                {`<html>OK</html>`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			put := func(plain bool) (failures []int, text string) {
				w := wire{body: tt.answer}
				client := kinesis.NewFromConfig(w.config(t), func(o *kinesis.Options) {
					if plain {
						o.Protocol = unknownProtocol{o.Protocol}
					}
				})
				entries := []sink.Entry{{PartitionKey: "a"}, {PartitionKey: "b"}, {PartitionKey: "c"}}
				refusals, err := sink.NewKinesis(client).Put(t.Context(), "s", entries)
				for _, f := range refusals {
					failures = append(failures, f.Index)
				}
				if err != nil {
					text = err.Error()
				}
				return failures, text
			}
			wantFailures, wantErr := put(true)
			failures, err := put(false)
			if diff := cmp.Diff(wantFailures, failures); diff != "" || err != wantErr {
				t.Errorf("Put = %q, by the SDK %q; refused (-SDK +adapter):\n%s", err, wantErr, diff)
			}
			if got := sink.AllAccepted([]byte(tt.answer), 3); got != tt.quick {
				t.Errorf("AllAccepted = %v, want %v", got, tt.quick)
			}
		})
	}
}
