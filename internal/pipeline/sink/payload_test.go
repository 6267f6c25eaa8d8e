package sink_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// sent is a request without its signature.
type sent struct {
	Method, Path, Target, ContentType string
	Length                            int64
	Body                              any
}

// recorder records the last call, and whether its body has a WriteTo method. It
// refuses the call.
type recorder struct {
	last    sent
	writeTo bool
}

func (r *recorder) Do(in *http.Request) (*http.Response, error) {
	_, r.writeTo = in.Body.(io.WriterTo)
	body, err := io.ReadAll(in.Body)
	if err != nil {
		return nil, err
	}
	r.last = sent{in.Method, in.URL.Path, in.Header.Get("X-Amz-Target"), in.Header.Get("Content-Type"), in.ContentLength - int64(len(body)), nil}
	if err := json.Unmarshal(body, &r.last.Body); err != nil {
		return nil, err
	}
	return nil, io.ErrClosedPipe
}

// bySDK makes the call of an adapter with the plain SDK.
var bySDK = map[string]func(context.Context, aws.Config, string, []sink.Entry){
	"kinesis": func(ctx context.Context, cfg aws.Config, stream string, entries []sink.Entry) {
		in := kinesis.PutRecordsInput{StreamName: &stream, Records: []kinesistypes.PutRecordsRequestEntry{}}
		for _, e := range entries {
			in.Records = append(in.Records, kinesistypes.PutRecordsRequestEntry{PartitionKey: &e.PartitionKey, Data: e.Data})
		}
		_, _ = kinesis.NewFromConfig(cfg).PutRecords(ctx, &in)
	},
	"firehose": func(ctx context.Context, cfg aws.Config, stream string, entries []sink.Entry) {
		in := firehose.PutRecordBatchInput{DeliveryStreamName: &stream, Records: []firehosetypes.Record{}}
		for _, e := range entries {
			in.Records = append(in.Records, firehosetypes.Record{Data: e.Data})
		}
		_, _ = firehose.NewFromConfig(cfg).PutRecordBatch(ctx, &in)
	},
}

// The adapters encode the same request as the SDK.
func TestThePayloadIsTheSDKs(t *testing.T) {
	t.Parallel()
	for _, a := range adapters {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			var r recorder
			cfg := (&wire{}).config(t)
			cfg.HTTPClient = &r
			cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
			key := rapid.OneOf(
				rapid.StringMatching(`[0-9a-f-]{36}`),
				rapid.StringOf(rapid.SampledFrom([]rune("\"\\/<>&\u2028\u2029\x00\x1f\x7f é😀a1"))),
			)
			rapid.Check(t, func(t *rapid.T) {
				stream := rapid.StringMatching(`[a-z0-9-]{1,20}\.[a-z0-9-]{1,40}`).Draw(t, "stream")
				entries := make([]sink.Entry, rapid.IntRange(0, 20).Draw(t, "entries"))
				for i := range entries {
					entries[i] = sink.Entry{PartitionKey: key.Draw(t, "key"), Data: rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "data")}
				}
				bySDK[a.name](context.Background(), cfg, stream, entries)
				want := r.last
				r.last = sent{}
				_, _ = a.service(cfg).Put(context.Background(), stream, entries)
				if diff := cmp.Diff(want, r.last); diff != "" {
					t.Errorf("call by the SDK and by the adapter (-SDK +adapter):\n%s", diff)
				}
				if r.writeTo {
					t.Error("the body has a WriteTo method") // see plainReader
				}
			})
		})
	}
}

// A payload's memory is reused by the next call. This must not change a request
// that is still being sent when its answer has already arrived.
func TestACallsPayloadStaysItsOwn(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		calls++
		early := calls%2 == 0
		mu.Unlock()
		if early {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"Early"}`)
			return
		}
		var in struct{ Records []struct{ Data []byte } }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Errorf("a call that is no JSON: %v", err)
		}
		for _, record := range in.Records {
			if first := in.Records[0].Data; !bytes.Equal(record.Data, first) {
				t.Errorf("a call has data of another: %.5s… and %.5s…", first, record.Data)
			}
		}
		_, _ = fmt.Fprintf(w, `{"Records":[%s]}`, strings.TrimSuffix(strings.Repeat(`{},`, len(in.Records)), ","))
	}))
	t.Cleanup(server.Close)
	cfg := (&wire{}).config(t)
	cfg.BaseEndpoint = aws.String(server.URL)
	service := kinesisAdapter.service(cfg)
	var wg sync.WaitGroup
	for caller := range 4 {
		wg.Go(func() {
			for i := range 50 {
				data := bytes.Repeat([]byte{byte('a' + caller)}, 20_000)
				entries := make([]sink.Entry, 1+i%20)
				for k := range entries {
					entries[k] = sink.Entry{PartitionKey: "k", Data: data}
				}
				_, _ = service.Put(context.Background(), "s", entries) // every second call fails
			}
		})
	}
	wg.Wait()
}
