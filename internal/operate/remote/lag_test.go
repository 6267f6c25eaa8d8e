package remote_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/encoding/cbor"
	"github.com/data-sink/data-sink/internal/operate/remote"
	"github.com/google/go-cmp/cmp"
)

// metrics is a CloudWatch that has data points, the newest first. A page of an answer
// has one data point of each metric.
type metrics struct {
	t      *testing.T
	points map[string][]float64 // by namespace, metric, dimension and its value
	fault  string               // error code of the next calls
	faults int                  // number of those calls
	calls  int
	most   int // the largest number of queries in a call
}

func (m *metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.calls++
	w.Header().Set("Content-Type", "application/cbor")
	w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	if m.faults > 0 {
		m.faults--
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(cbor.Encode(cbor.Map{"__type": cbor.String(m.fault), "message": cbor.String("no")}))
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		m.t.Error(err)
	}
	in, err := cbor.Decode(body)
	if err != nil || r.URL.Path != "/service/GraniteServiceVersion20100801/operation/GetMetricData" {
		m.t.Errorf("call of %s: %v", r.URL.Path, err)
		return
	}
	page := 0
	if token, ok := in.(cbor.Map)["NextToken"].(cbor.String); ok {
		_, _ = fmt.Sscan(string(token), &page)
	}
	out, more := cbor.List{}, false
	queries := in.(cbor.Map)["MetricDataQueries"].(cbor.List)
	m.most = max(m.most, len(queries))
	for _, q := range queries {
		stat := q.(cbor.Map)["MetricStat"].(cbor.Map)
		metric := stat["Metric"].(cbor.Map)
		dimension := metric["Dimensions"].(cbor.List)[0].(cbor.Map)
		points := m.points[fmt.Sprint(metric["Namespace"], " ", metric["MetricName"], " ", dimension["Name"], " ", dimension["Value"])]
		values := cbor.List{}
		if page < len(points) {
			values = append(values, cbor.Float64(points[page]))
		}
		more = more || page+1 < len(points)
		out = append(out, cbor.Map{"Id": q.(cbor.Map)["Id"], "Values": values})
	}
	answer := cbor.Map{"MetricDataResults": out}
	if more {
		answer["NextToken"] = cbor.String(fmt.Sprint(page + 1))
	}
	_, _ = w.Write(cbor.Encode(answer))
}

func serve(t *testing.T, m *metrics) *cloudwatch.Client {
	t.Helper()
	m.t = t
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	return cloudwatch.New(cloudwatch.Options{
		Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}),
	})
}

func TestLagsAreTheNewestDataPoints(t *testing.T) {
	t.Parallel()
	m := &metrics{points: map[string][]float64{
		"AWS/Kinesis GetRecords.IteratorAgeMilliseconds StreamName sink.orders":    {1500, 9000},
		"AWS/Firehose DeliveryToS3.DataFreshness DeliveryStreamName sink.orders":   {61},
		"AWS/Kinesis GetRecords.IteratorAgeMilliseconds StreamName sink.views":     {0},
		"AWS/Kinesis IncomingRecords StreamName sink.views":                        {3},
		"AWS/Kinesis GetRecords.IteratorAgeMilliseconds StreamName other.orders":   {7},
		"AWS/Firehose DeliveryToS3.DataFreshness DeliveryStreamName datasink.idle": {7},
	}}
	got, err := remote.Lags(t.Context(), serve(t, m), "sink", []string{"orders", "views", "idle"})
	want := map[string]remote.Lag{
		"orders": {Bridge: aws.Float64(1.5), Firehose: aws.Float64(61)},
		"views":  {Bridge: aws.Float64(0), Incoming: aws.Float64(3)},
		"idle":   {},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Lags: %v, lags differ (-want +got):\n%s", err, diff)
	}
	if m.calls != 2 {
		t.Errorf("%d calls, want one for each of 2 pages", m.calls)
	}
}

func TestATapIsEmptyIfAllIsReadAndNothingArrives(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		bridge, incoming *float64
		want             bool
	}{
		{nil, nil, false},
		{aws.Float64(0.1), nil, false},
		{aws.Float64(0), aws.Float64(1), false},
		{aws.Float64(0), aws.Float64(0), true},
		{aws.Float64(0), nil, true},
	} {
		if got := (remote.Lag{Bridge: tt.bridge, Incoming: tt.incoming}).TapIsEmpty(); got != tt.want {
			t.Errorf("bridge %v, incoming %v: empty %v, want %v", tt.bridge, tt.incoming, got, tt.want)
		}
	}
}

func TestLagsOfManyStreams(t *testing.T) {
	t.Parallel()
	m := &metrics{points: make(map[string][]float64)}
	var streams []string
	for i := range 300 {
		streams = append(streams, fmt.Sprintf("s%d", i))
		m.points[fmt.Sprintf("AWS/Kinesis GetRecords.IteratorAgeMilliseconds StreamName sink.s%d", i)] = []float64{float64(i) * 1000}
	}
	got, err := remote.Lags(t.Context(), serve(t, m), "sink", streams)
	if err != nil || len(got) != len(streams) || m.most > 500 {
		t.Fatalf("Lags has %d streams, %v, by up to %d queries a call, want 500 at most", len(got), err, m.most)
	}
	for i, name := range streams {
		if b := got[name].Bridge; b == nil || *b != float64(i) {
			t.Errorf("the lag of %s is %v, want %d", name, b, i)
		}
	}
}

func TestLagsWhenCloudWatchRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault  string
		faults int
		ok     bool
		calls  int
	}{
		{"Throttling", 2, true, 3},
		{"Throttling", 9, false, 3},
		{"AccessDenied", 9, false, 1},
	} {
		m := &metrics{fault: tt.fault, faults: tt.faults}
		_, err := remote.Lags(t.Context(), serve(t, m), "sink", []string{"orders"})
		var api smithy.APIError
		if tt.ok != (err == nil) || err != nil && (!errors.As(err, &api) || api.ErrorCode() != tt.fault) || m.calls != tt.calls {
			t.Errorf("Lags with %d errors %s = %v after %d calls, want success: %v after %d", tt.faults, tt.fault, err, m.calls, tt.ok, tt.calls)
		}
	}
}
