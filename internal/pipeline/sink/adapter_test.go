package sink_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/google/go-cmp/cmp"
)

func TestAdaptersSendWhatTheyAreGiven(t *testing.T) {
	t.Parallel()
	encoded := base64.StdEncoding.EncodeToString
	data := []byte{0, 0xff, '\n', 'x'}
	entries := []sink.Entry{{PartitionKey: "clé ☃", Data: data}, {PartitionKey: "k", Data: nil}}
	for _, tt := range []struct {
		adapter adapter
		want    map[string]any
	}{
		{kinesisAdapter, map[string]any{"StreamName": "datasink.orders", "Records": []any{
			map[string]any{"PartitionKey": "clé ☃", "Data": encoded(data)},
			map[string]any{"PartitionKey": "k", "Data": ""},
		}}},
		{firehoseAdapter, map[string]any{"DeliveryStreamName": "datasink.orders", "Records": []any{
			map[string]any{"Data": encoded(data)},
			map[string]any{"Data": ""},
		}}},
	} {
		t.Run(tt.adapter.name, func(t *testing.T) {
			t.Parallel()
			w := wire{body: fmt.Sprintf(tt.adapter.results, `{},{}`)}
			failures, err := tt.adapter.service(w.config(t)).Put(t.Context(), "datasink.orders", entries)
			if err != nil || failures != nil {
				t.Errorf("Put = %v, %v, want nothing refused", failures, err)
			}
			if w.target != tt.adapter.target {
				t.Errorf("target = %s, want %s", w.target, tt.adapter.target)
			}
			if diff := cmp.Diff(tt.want, w.got); diff != "" {
				t.Errorf("request differs (-want +got):\n%s", diff)
			}
		})
	}
}

// class names the kind of error that the Writer distinguishes.
func class(err error) string {
	switch {
	case errors.Is(err, sink.ErrThrottled) && errors.Is(err, sink.ErrInvalid):
		return "both"
	case errors.Is(err, sink.ErrThrottled):
		return "throttled"
	case errors.Is(err, sink.ErrInvalid):
		return "invalid"
	}
	return "retried"
}

func TestErrorsOfSingleEntries(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		adapter    adapter
		code, want string
	}{
		{kinesisAdapter, "ProvisionedThroughputExceededException", "throttled"},
		{kinesisAdapter, "InternalFailure", "retried"},
		{kinesisAdapter, "KMSThrottlingException", "throttled"},
		{kinesisAdapter, "InvalidArgumentException", "invalid"},
		{kinesisAdapter, "SomethingNew", "retried"},
		{firehoseAdapter, "ServiceUnavailableException", "throttled"},
		{firehoseAdapter, "InternalFailure", "retried"},
		{firehoseAdapter, "ValidationException", "invalid"},
	} {
		t.Run(tt.adapter.name+" "+tt.code, func(t *testing.T) {
			t.Parallel()
			refused := fmt.Sprintf(`{"ErrorCode":%q,"ErrorMessage":"about s3cr3t"}`, tt.code)
			w := wire{body: fmt.Sprintf(tt.adapter.results, `{"SequenceNumber":"1"},`+refused+`,{"ErrorCode":null},{"ErrorCode":""},`+refused)}
			failures, err := tt.adapter.service(w.config(t)).Put(t.Context(), "s", numbered(5))
			if err != nil || len(failures) != 2 || failures[0].Index != 1 || failures[1].Index != 4 {
				t.Fatalf("Put = %v, %v, want entries 1 and 4 refused", failures, err)
			}
			for _, f := range failures {
				if class(f.Err) != tt.want || !strings.HasSuffix(f.Err.Error(), ": "+tt.code) {
					t.Errorf("entry %d: %v is %s, want the code alone, %s", f.Index, f.Err, class(f.Err), tt.want)
				}
			}
		})
	}
}

func TestEntriesAreRefusedEachForItsOwnReason(t *testing.T) {
	t.Parallel()
	w := wire{body: fmt.Sprintf(kinesisAdapter.results, `{"ErrorCode":"InternalFailure"},{"ErrorCode":"ProvisionedThroughputExceededException"},{"ErrorCode":"InternalFailure"}`)}
	failures, err := kinesisAdapter.service(w.config(t)).Put(t.Context(), "s", numbered(3))
	if err != nil || len(failures) != 3 {
		t.Fatalf("Put = %v, %v, want three entries refused", failures, err)
	}
	got := []string{class(failures[0].Err), class(failures[1].Err), class(failures[2].Err)}
	if diff := cmp.Diff([]string{"retried", "throttled", "retried"}, got); diff != "" {
		t.Errorf("classes differ (-want +got):\n%s", diff)
	}
}

func TestErrorsOfWholeCalls(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code    string
		status  int
		want    string
		adapter []adapter
	}{
		{"ProvisionedThroughputExceededException", 400, "throttled", adapters[:1]},
		{"LimitExceededException", 400, "throttled", adapters},
		{"KMSThrottlingException", 400, "throttled", adapters[:1]},
		{"ThrottlingException", 400, "throttled", adapters},
		{"ServiceUnavailableException", 503, "throttled", adapters},
		{"ServiceUnavailable", 503, "throttled", adapters},
		{"InvalidArgumentException", 400, "invalid", adapters},
		{"ValidationException", 400, "invalid", adapters},
		{"ResourceNotFoundException", 400, "retried", adapters},
		{"AccessDeniedException", 400, "retried", adapters},
		{"KMSAccessDeniedException", 400, "retried", adapters[:1]},
		{"KMSDisabledException", 400, "retried", adapters[:1]},
		{"KMSInvalidStateException", 400, "retried", adapters[:1]},
		{"KMSNotFoundException", 400, "retried", adapters[:1]},
		{"KMSOptInRequired", 400, "retried", adapters[:1]},
		{"InvalidKMSResourceException", 400, "retried", adapters[1:]},
		{"InvalidSourceException", 400, "retried", adapters[1:]},
		{"ExpiredTokenException", 400, "retried", adapters},
		{"UnrecognizedClientException", 400, "retried", adapters},
		{"SerializationException", 400, "retried", adapters},
		{"InternalFailure", 500, "retried", adapters},
		{"SomethingNew", 400, "retried", adapters},
	} {
		for _, a := range tt.adapter {
			for form, w := range map[string]*wire{
				"header": {header: map[string]string{"X-Amzn-Errortype": tt.code + ":http://internal.amazon.com/"}, body: `{"message":"about s3cr3t"}`},
				"body":   {body: fmt.Sprintf(`{"__type":"com.amazonaws.v20131202#%s","message":"about s3cr3t"}`, tt.code)},
			} {
				t.Run(a.name+" "+tt.code+" in the "+form, func(t *testing.T) {
					t.Parallel()
					w.status = tt.status
					failures, err := a.service(w.config(t)).Put(t.Context(), "s", numbered(2))
					if failures != nil || class(err) != tt.want {
						t.Errorf("Put = %v, %v (%s), want an error that is %s", failures, err, class(err), tt.want)
					}
					_, operation, _ := strings.Cut(a.target, ".")
					want := fmt.Sprintf("%s: %s (HTTP status %d, request id c0ffee-1)", operation, tt.code, tt.status)
					if fmt.Sprint(err) != want {
						t.Errorf("error = %v, want %s", err, want)
					}
					var quoting interface{ ErrorMessage() string }
					if errors.As(err, &quoting) {
						t.Errorf("the chain holds the service's message: %s", quoting.ErrorMessage())
					}
					if w.requests != 1 {
						t.Errorf("%d requests, want one: retries are the Writer's", w.requests)
					}
				})
			}
		}
	}
}

func TestAnswersThatAreNotTheServices(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want string
		wire       wire
	}{
		{"a bare 413", "invalid", wire{status: 413}},
		{"a 413 of a proxy", "invalid", wire{status: 413, body: "<html>s3cr3t</html>"}},
		{"a bare 429", "throttled", wire{status: 429}},
		{"a bare 503", "throttled", wire{status: 503}},
		{"a 503 of a proxy", "throttled", wire{status: 503, body: "<html>s3cr3t</html>"}},
		{"a bare 500", "retried", wire{status: 500}},
		{"a 404 of a proxy", "retried", wire{status: 404, body: "s3cr3t"}},
		{"200 and no JSON", "retried", wire{body: "<html>s3cr3t</html>"}},
		{"200 and JSON of another shape", "retried", wire{body: `{"Records":"s3cr3t","RequestResponses":"s3cr3t"}`}},
		{"200 and half of it", "retried", wire{body: `{"Records":[{"ErrorMessage":"s3cr3t`}},
		{"200 and nothing", "retried", wire{}},
		{"too few results", "retried", wire{body: `{"Records":[{}],"RequestResponses":[{}]}`}},
		{"too many results", "retried", wire{body: `{"Records":[{},{},{}],"RequestResponses":[{},{},{}]}`}},
		{"no results", "retried", wire{body: `{"Records":null,"RequestResponses":null}`}},
		{"a hostile code", "retried", wire{status: 400, body: `{"__type":"a\"\n<b> ` + strings.Repeat("long", 1000) + `"}`}},
		{"an empty code", "retried", wire{status: 400, body: `{"__type":""}`}},
	} {
		for _, a := range adapters {
			t.Run(a.name+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				w := tt.wire
				failures, err := a.service(w.config(t)).Put(t.Context(), "s", numbered(2))
				if err == nil || failures != nil || class(err) != tt.want {
					t.Fatalf("Put = %v, %v (%s), want an error that is %s", failures, err, class(err), tt.want)
				}
				if text := err.Error(); strings.Contains(text, "s3cr3t") || len(text) > 600 || strings.ContainsAny(text, "\"\n<") {
					t.Errorf("error text is not fit for a log: %q", text)
				}
			})
		}
	}
}

func TestErrorsOnTheWay(t *testing.T) {
	t.Parallel()
	for _, a := range adapters {
		t.Run(a.name+" no connection", func(t *testing.T) {
			t.Parallel()
			var w wire
			cfg := w.config(t)
			cfg.BaseEndpoint = new("http://127.0.0.1:1")
			_, err := a.service(cfg).Put(t.Context(), "s", numbered(1))
			if err == nil || class(err) != "retried" || !strings.Contains(err.Error(), "connection refused") {
				t.Errorf("error = %v (%s), want the refused connection", err, class(err))
			}
		})
		t.Run(a.name+" the context ends", func(t *testing.T) {
			t.Parallel()
			w := wire{hang: true}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			_, err := a.service(w.config(t)).Put(ctx, "s", numbered(1))
			if !errors.Is(err, context.DeadlineExceeded) || class(err) != "retried" {
				t.Errorf("error = %v (%s), want the context's", err, class(err))
			}
		})
		t.Run(a.name+" a long text", func(t *testing.T) {
			t.Parallel()
			var w wire
			cfg := w.config(t)
			cfg.BaseEndpoint = new("http://127.0.0.1:1/" + strings.Repeat("ä", 2000))
			_, err := a.service(cfg).Put(t.Context(), "s", numbered(1))
			if err == nil || len(err.Error()) > 600 {
				t.Errorf("error = %v, want its text bounded", err)
			}
		})
	}
}

// keptBody answers at once and keeps the request's body.
type keptBody struct {
	answer string
	body   io.ReadCloser
}

func (k *keptBody) Do(r *http.Request) (*http.Response, error) {
	k.body = r.Body
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(k.answer))}, nil
}

// TestRequestBodyEndsQuietlyAfterTheAnswer is what net/http does after a body's
// last byte: an error there costs the connection.
func TestRequestBodyEndsQuietlyAfterTheAnswer(t *testing.T) {
	t.Parallel()
	for _, a := range adapters {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			var w wire
			cfg := w.config(t)
			client := keptBody{answer: fmt.Sprintf(a.results, "{}")}
			cfg.HTTPClient = &client
			if _, err := a.service(cfg).Put(t.Context(), "s", numbered(1)); err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, client.body); n != 0 || err != nil {
				t.Errorf("reading on after the answer: %d bytes, %v, want a quiet end", n, err)
			}
		})
	}
}

// TestWriterOnTheWire runs the Writer with an adapter. The endpoint answers as AWS
// does to an empty partition key.
func TestWriterOnTheWire(t *testing.T) {
	t.Parallel()
	w := wire{status: 400, body: `{"__type":"ValidationException","message":"Value '' at 'records.1.member.partitionKey' failed to satisfy constraint: Member must have length greater than or equal to 1"}`}
	writer := sink.Writer{Service: kinesisAdapter.service(w.config(t)), Limits: sink.KinesisLimits}
	got := writer.Put(t.Context(), "s", []sink.Entry{{Data: []byte("x")}})
	want := sink.Result{Calls: 1, Invalid: []sink.Invalid{{Index: 0, Reason: "entry 0 of 1 bytes (partition key 0, data 1): refused by the service: PutRecords: ValidationException (HTTP status 400, request id c0ffee-1)"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("result differs (-want +got):\n%s", diff)
	}
}
