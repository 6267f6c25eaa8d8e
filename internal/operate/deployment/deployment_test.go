package deployment_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go/encoding/cbor"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/local/endpoints"
	"github.com/data-sink/data-sink/internal/local/wire"
	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/operate/remote"
	"github.com/data-sink/data-sink/internal/operate/tap"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var at = time.Date(2026, 11, 22, 23, 5, 0, 0, time.UTC)

// packed is a line of the bridge's log.
func packed(t time.Time, streamName string) string {
	return fmt.Sprintf(`{"timestamp":%q,"message":"packed","stream":%q,"bytes":12,"records":2,"hash":"0000000000000abc","firstSequence":"1","lastSequence":"2"}`,
		t.Format(time.RFC3339Nano), streamName)
}

// serveTap serves a stream orders with one record, and returns its URL.
func serveTap(t *testing.T, body string) string {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	k := cloud.NewKinesis(cloud.KinesisOptions{Dir: root})
	if err := k.Open("datasink.orders", cloud.StreamOptions{Shards: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Put(t.Context(), "datasink.orders", []sink.Entry{{PartitionKey: "k", Data: []byte(body)}}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(wire.New(wire.Services{Kinesis: k}))
	t.Cleanup(server.Close)
	return server.URL
}

// writeEndpoints makes a data folder whose pipeline is at those endpoints.
func writeEndpoints(t *testing.T, e endpoints.Endpoints) (data string) {
	t.Helper()
	data = t.TempDir()
	content, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, endpoints.File), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return data
}

func find(t *testing.T, o deployment.Options) deployment.Target {
	t.Helper()
	found, err := deployment.Find(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestThePipelineOfThisMachine(t *testing.T) {
	t.Parallel()
	operator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		switch r.URL.Path {
		case "/inspect":
			fmt.Fprint(w, `{"streams":{"orders":{"depth":3}}}`)
		case "/lags":
			fmt.Fprint(w, `{"orders":{"bridgeLagSeconds":2.5,"firehoseFreshnessSeconds":0}}`)
		case "/packed":
			fmt.Fprintln(w, packed(at, "orders"))
			fmt.Fprintln(w, packed(at, "other"))
			fmt.Fprintln(w, packed(at.Add(time.Hour), "orders"))
			fmt.Fprintln(w, packed(at.Add(-1), "orders"))
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "not found")
		}
	}))
	t.Cleanup(operator.Close)
	const api = "http://127.0.0.1:8080"
	data := writeEndpoints(t, endpoints.Endpoints{
		Deployment: "datasink", APIURL: api, User: "u", Password: "p", OperatorURL: operator.URL, Token: "token",
		AWSURL: serveTap(t, "body"), Bucket: "b", FlushSeconds: 2.5,
	})
	l := find(t, deployment.Options{Data: data, Name: "other"})

	if got, err := l.API(t.Context()); err != nil || got != (deployment.API{URL: api, User: "u", Password: "p"}) {
		t.Errorf("API = %+v, %v", api, err)
	}
	if l.Deployment() != "datasink" || !strings.Contains(l.Describe(), data) {
		t.Errorf("the deployment is %s, described as %s", l.Deployment(), l.Describe())
	}
	other := find(t, deployment.Options{Data: data, User: "x", Password: "y"})
	if api, err := other.API(t.Context()); err != nil || api.User != "x" || api.Password != "y" {
		t.Errorf("API = %+v, %v, want the options' user", api, err)
	}
	if got, err := l.Inspect(t.Context()); err != nil || got.Streams["orders"].Depth != 3 {
		t.Errorf("Inspect = %+v, %v", got, err)
	}
	lags := map[string]remote.Lag{"orders": {Bridge: aws.Float64(2.5), Firehose: aws.Float64(0)}}
	if got, err := l.Lags(t.Context(), nil); err != nil || cmp.Diff(lags, got) != "" {
		t.Errorf("Lags = %v, %v", got, err)
	}
	var records []tap.Record
	err := l.Tap(t.Context(), "orders", tap.Window{From: at, Until: time.Now()}, func(r tap.Record) error {
		records = append(records, r)
		return nil
	})
	want := []tap.Record{{Shard: "shardId-000000000000", PartitionKey: "k", Body: []byte("body")}}
	if diff := cmp.Diff(want, records, cmpopts.IgnoreFields(tap.Record{}, "Sequence", "ArrivedAt")); diff != "" || err != nil {
		t.Errorf("Tap: %v, records differ (-want +got):\n%s", err, diff)
	}
	var unknown *types.ResourceNotFoundException
	if err := l.Tap(t.Context(), "none", tap.Window{}, nil); !errors.As(err, &unknown) {
		t.Errorf("Tap of an unknown stream = %v, want ResourceNotFoundException", err)
	}
	if got := l.Settle(stream.Stream{}); got != 12500*time.Millisecond {
		t.Errorf("Settle = %v", got)
	}
	if n := countPacked(t, l); n != 1 {
		t.Errorf("Packed gave %d lines, want the one of the stream and time", n)
	}
	if _, err := l.Archive(t.Context()); !errors.Is(err, deployment.ErrNotLocal) {
		t.Errorf("Archive without S3 = %v", err)
	}
	if _, err := l.Clients(t.Context()); !errors.Is(err, deployment.ErrNotLocal) {
		t.Errorf("Clients = %v", err)
	}
}

func countPacked(t *testing.T, found deployment.Target) int {
	t.Helper()
	n := 0
	err := found.Packed(t.Context(), "orders", at, at.Add(time.Hour), func(p pack.Line) error {
		n++
		return nil
	})
	if err != nil {
		t.Errorf("Packed: %v", err)
	}
	return n
}

func TestAPipelineThatHasGoneIsNamed(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	data := writeEndpoints(t, endpoints.Endpoints{OperatorURL: server.URL})
	if _, err := find(t, deployment.Options{Data: data}).Inspect(t.Context()); err == nil || !strings.Contains(err.Error(), filepath.Join(data, endpoints.File)) {
		t.Errorf("Inspect = %v, want an error that names the file", err)
	}
}

// amazon answers the calls that the command makes.
type amazon struct {
	t      *testing.T
	secret string
	pages  int // of the log, so far
	busy   int // calls of the log that are refused first

	metrics  int  // calls of GetMetricData
	noBridge bool // no stream has a tap
}

func (a *amazon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || !strings.Contains(r.Header.Get("Authorization"), "Credential=key/") {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	switch {
	case strings.Contains(string(body), "Action=GetCallerIdentity"):
		fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	case strings.Contains(string(body), "Action=DescribeStacks"):
		if !strings.Contains(string(body), "StackName=sink") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		var outputs strings.Builder
		for name, value := range map[string]string{
			"ApiUrl": "https://api.example", "ArchiveBucket": "bucket", "ClientsSecret": "arn:secret", "DrainerFunction": "sink-drainer", "BridgeFunction": "sink-bridge",
		} {
			if a.noBridge && name == "BridgeFunction" {
				continue
			}
			fmt.Fprintf(&outputs, "<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>", name, value)
		}
		fmt.Fprintf(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>sink</StackName><Outputs>%s</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`, &outputs)
	case r.Header.Get("X-Amz-Target") == "secretsmanager.GetSecretValue":
		fmt.Fprintf(w, `{"SecretString":%q,"VersionId":"1"}`, a.secret)
	case r.URL.Path == "/2015-03-31/functions/sink-drainer/invocations":
		if string(body) != drain.InspectEvent {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			fmt.Fprint(w, `{"errorMessage":"no"}`)
			return
		}
		fmt.Fprint(w, `{"streams":{"orders":{"depth":5}}}`)
	case r.URL.Path == "/2015-03-31/functions/sink-bridge/configuration":
		fmt.Fprint(w, `{"LoggingConfig":{"LogGroup":"/sink/bridge"}}`)
	case r.URL.Path == "/2015-03-31/functions/sink-drainer/configuration":
		fmt.Fprint(w, `{"LoggingConfig":{"LogGroup":"/sink/drainer"}}`)
	case strings.HasSuffix(r.URL.Path, "/operation/GetMetricData"):
		a.metrics++
		w.Header().Set("Content-Type", "application/cbor")
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		_, _ = w.Write(cbor.Encode(cbor.Map{"MetricDataResults": cbor.List{cbor.Map{"Id": cbor.String("bridge0"), "Values": cbor.List{cbor.Float64(1500)}}}}))
	case r.Header.Get("X-Amz-Target") == "Logs_20140328.FilterLogEvents":
		a.filter(w, body)
	default:
		a.t.Errorf("unexpected call %s %s %s", r.Method, r.URL, body)
		w.WriteHeader(http.StatusNotImplemented)
	}
}

func (a *amazon) filter(w http.ResponseWriter, body []byte) {
	if a.busy > 0 {
		a.busy--
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"com.amazonaws.logs#ThrottlingException","message":"slow down"}`)
		return
	}
	var in struct{ LogGroupName, FilterPattern, NextToken string }
	err := json.Unmarshal(body, &in)
	if err == nil && in.LogGroupName == "/sink/bridge" && in.FilterPattern == "" {
		fmt.Fprintf(w, `{"events":[{"message":"a line"}]}`)
		return
	}
	if err == nil && in.LogGroupName == "/sink/drainer" && in.FilterPattern == `"packed" "orders"` {
		fmt.Fprintf(w, `{"events":[{"message":%q}]}`, packed(at.Add(2*time.Minute), "orders"))
		return
	}
	if err != nil || in.LogGroupName != "/sink/bridge" || in.FilterPattern != `"packed" "orders"` {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":"ResourceNotFoundException","message":"no log group"}`)
		return
	}
	a.pages++
	switch in.NextToken {
	case "":
		fmt.Fprintf(w, `{"events":[{"message":%q},{"message":"START packed orders"}],"nextToken":"2"}`, packed(at, "orders")+"\n")
	case "2":
		fmt.Fprintf(w, `{"events":[],"nextToken":"3"}`)
	default:
		fmt.Fprintf(w, `{"events":[{"message":%q},{"message":%q}]}`, packed(at.Add(time.Minute), "orders"), packed(at, "orders-2"))
	}
}

func TestADeploymentOnAWS(t *testing.T) {
	a := &amazon{t: t, secret: `{"datasink":"secret","hashed":"sha256:` + strings.Repeat("0", 64) + `"}`, busy: 2}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PROFILE": "",
	} {
		t.Setenv(name, value)
	}
	data := t.TempDir()
	c := find(t, deployment.Options{Data: data, Name: "sink"})
	if text := c.Describe(); text != "deployment sink in account 123456789012, eu-west-1 at "+server.URL || c.Deployment() != "sink" {
		t.Errorf("Describe = %s", text)
	}
	if api, err := c.API(t.Context()); err != nil || api != (deployment.API{URL: "https://api.example", User: "datasink", Password: "secret"}) {
		t.Errorf("API = %+v, %v", api, err)
	}
	for user, want := range map[string]string{"hashed": "DATASINK_PASSWORD", "none": "no such client"} {
		if _, err := find(t, deployment.Options{Data: data, Name: "sink", User: user}).API(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("API of %s = %v, want an error with %s", user, err, want)
		}
	}
	want := drain.Inspection{Streams: map[string]queue.State{"orders": {Depth: 5}}}
	if got, err := c.Inspect(t.Context()); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("Inspect = %+v, %v", got, err)
	}
	for range 2 {
		lags, err := c.Lags(t.Context(), []string{"orders"})
		if want := map[string]remote.Lag{"orders": {Bridge: aws.Float64(1.5)}}; err != nil || cmp.Diff(want, lags) != "" || a.metrics != 1 {
			t.Errorf("Lags = %v, %v after %d calls, want one call a minute", lags, err, a.metrics)
		}
	}
	if n := countPacked(t, c); n != 3 || a.pages != 3 {
		t.Errorf("Packed gave %d lines of %d pages of the bridge, want 2 of 3 and one line of the drainer", n, a.pages)
	}
	a.noBridge = true
	if n := countPacked(t, find(t, deployment.Options{Data: data, Name: "sink"})); n != 1 || a.pages != 3 {
		t.Errorf("Packed of a deployment without a bridge gave %d lines, want the line of the drainer", n)
	}
	a.noBridge = false
	if err := c.Packed(t.Context(), "none", at, at, nil); err == nil || !strings.Contains(err.Error(), "ResourceNotFoundException: no log group") {
		t.Errorf("Packed of a group that does not exist = %v", err)
	}
	var lines []string
	err := c.Logs(t.Context(), "bridge", nil, at, at.Add(time.Hour), func(line []byte) error {
		lines = append(lines, string(line))
		return nil
	})
	if diff := cmp.Diff([]string{"a line"}, lines); err != nil || diff != "" {
		t.Errorf("Logs: %v, lines differ (-want +got):\n%s", err, diff)
	}
	if err := c.Logs(t.Context(), "ingest", nil, at, at, nil); !errors.Is(err, deployment.ErrNotDeployed) {
		t.Errorf("Logs of a function that the stack does not name = %v", err)
	}
	if archive, err := c.Archive(t.Context()); err != nil || archive.Name() != "bucket" {
		t.Errorf("Archive = %+v, %v", archive, err)
	}
	if _, err := find(t, deployment.Options{Data: data, Name: "other"}).API(t.Context()); err == nil || !strings.Contains(err.Error(), "deployment other in account 123456789012, eu-west-1") {
		t.Errorf("API of a deployment that does not exist = %v", err)
	}
	if got := c.Settle(stream.Stream{BufferSeconds: 60}); got != 6*time.Minute {
		t.Errorf("Settle = %v", got)
	}

	// What chooses between the two.
	here := writeEndpoints(t, endpoints.Endpoints{Deployment: "datasink"})
	for _, tt := range []struct {
		o     deployment.Options
		local bool
	}{
		{deployment.Options{Data: here, Name: "sink"}, true},
		{deployment.Options{Data: here, Name: "sink", AWS: true}, false},
		{deployment.Options{Data: here, Name: "sink", Region: "eu-west-1"}, false},
		{deployment.Options{Data: data, Name: "sink"}, false},
	} {
		if got := strings.Contains(find(t, tt.o).Describe(), "the local pipeline"); got != tt.local {
			t.Errorf("Find(%+v) is local: %v, want %v", tt.o, got, tt.local)
		}
	}
	if _, err := deployment.Find(t.Context(), deployment.Options{Data: data, Name: "no.name"}); err == nil {
		t.Error("Find took a name that no deployment has")
	}
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	if _, err := deployment.Find(t.Context(), deployment.Options{Data: data, Name: "sink"}); err == nil || !strings.Contains(err.Error(), "no AWS Region") {
		t.Errorf("Find without a Region = %v", err)
	}
}
