package datasink

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/ingest"
)

func mustJSON(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func TestOutputs(t *testing.T) {
	want := map[string]string{
		"ApiUrl": "${ApiHttp.ApiEndpoint}", "ArchiveBucket": "${Archive}", "ClientsSecret": "${Clients}", "WakeQueue": "${Wake}",
		"IngestFunction": "${Ingest}", "DrainerFunction": "${Drainer}", "BridgeFunction": "${Bridge}",
		"DashboardUrl": "https://console.aws.amazon.com/cloudwatch/home?region=${AWS::Region}#dashboards/dashboard/datasink-${AWS::Region}",
	}
	if diff := cmp.Diff(want, outputs(synth(t, nil, fourStreams).root)); diff != "" {
		t.Errorf("outputs differ (-want +got):\n%s", diff)
	}
	want["ApiUrl"] = "https://sink.example.com"
	want["ApiDomainTarget"] = "${ApiDomain.RegionalDomainName}"
	root := synth(t, map[string]any{"domainName": "sink.example.com", "certificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/0a1b"}, fourStreams).root
	if diff := cmp.Diff(want, outputs(root)); diff != "" {
		t.Errorf("outputs with a domain differ (-want +got):\n%s", diff)
	}
	mapping := only(t, root, "AWS::ApiGatewayV2::ApiMapping").Properties
	if got := plain(rendered(mapping["DomainName"])) + " " + plain(rendered(mapping["ApiId"])) + " " + plain(rendered(mapping["Stage"])); got != "${ApiDomain} ${ApiHttp} ${ApiStage}" {
		t.Errorf("the domain maps %s", got)
	}
}

func TestTheNestedStacksNameTheirStreams(t *testing.T) {
	a := synth(t, nil, tapsOfAllKinds)
	for name, want := range map[string]map[string]string{
		"orders": {"FirehoseArn": "arn:${AWS::Partition}:firehose:" + account + ":deliverystream/datasink.orders", "KinesisStreamArn": "${Tap.Arn}"},
		"quiet":  {"FirehoseArn": "arn:${AWS::Partition}:firehose:" + account + ":deliverystream/datasink.quiet"},
	} {
		if diff := cmp.Diff(want, outputs(a.nested[name])); diff != "" {
			t.Errorf("outputs of %s differ (-want +got):\n%s", name, diff)
		}
	}
}

func outputs(root template) map[string]string {
	found := make(map[string]string)
	for name, o := range root.Outputs {
		found[name] = plain(rendered(o.Value))
	}
	return found
}

func TestTheAPIHasTwoRoutesToIngest(t *testing.T) {
	root := synth(t, map[string]any{"throttleRate": "100", "throttleBurst": "20"}, fourStreams).root
	if got := only(t, root, "AWS::ApiGatewayV2::Api").Properties["ProtocolType"]; got != "HTTP" {
		t.Errorf("an API of type %v", got)
	}
	var keys []string
	for id, r := range ofType(root, "AWS::ApiGatewayV2::Route") {
		keys = append(keys, rendered(r.Properties["RouteKey"]))
		if got := plain(rendered(r.Properties["Target"])); got != "integrations/${ApiIngest}" {
			t.Errorf("%s targets %s", id, got)
		}
	}
	slices.Sort(keys)
	if diff := cmp.Diff([]string{"GET /health", "POST /archives/{stream+}"}, keys); diff != "" {
		t.Errorf("routes differ (-want +got):\n%s", diff)
	}
	integration := only(t, root, "AWS::ApiGatewayV2::Integration").Properties
	if integration["PayloadFormatVersion"] != "2.0" || integration["IntegrationType"] != "AWS_PROXY" || plain(rendered(integration["IntegrationUri"])) != "${Ingest.Arn}" {
		t.Errorf("integration %v", integration)
	}
	stage := only(t, root, "AWS::ApiGatewayV2::Stage").Properties
	if stage["StageName"] != "$default" || stage["AutoDeploy"] != true {
		t.Errorf("stage %v", stage)
	}
	if got := asJSON(stage["DefaultRouteSettings"]); got != `{"ThrottlingBurstLimit":20,"ThrottlingRateLimit":100}` {
		t.Errorf("throttling %s", got)
	}
	if log := asJSON(at(stage, "AccessLogSettings", "DestinationArn")); !strings.Contains(log, "ApiAccessLogs") {
		t.Errorf("the access log goes to %s", log)
	}
}

func TestWakeUpsReachTheDrainerOneByOne(t *testing.T) {
	root := synth(t, map[string]any{"drainerConcurrency": "33"}, fourStreams).root
	got := resolved(only(t, root, "AWS::Lambda::EventSourceMapping").Properties)
	want := object{
		"FunctionName": "${Drainer.Arn}", "EventSourceArn": "${Wake.Arn}", "BatchSize": 1.0,
		"FunctionResponseTypes": []any{"ReportBatchItemFailures"}, "ScalingConfig": object{"MaximumConcurrency": 33.0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the mapping differs (-want +got):\n%s", diff)
	}
	wake := named(t, root, "AWS::SQS::Queue", "Wake").Properties
	redrive := resolved(wake["RedrivePolicy"])
	if diff := cmp.Diff(object{"deadLetterTargetArn": "${WakeDeadLetters.Arn}", "maxReceiveCount": 5.0}, redrive); diff != "" {
		t.Errorf("dead letters differ (-want +got):\n%s", diff)
	}
	dead := named(t, root, "AWS::SQS::Queue", "WakeDeadLetters").Properties
	if numeric(t, dead["MessageRetentionPeriod"]) <= numeric(t, wake["MessageRetentionPeriod"]) {
		t.Error("a dead letter would be gone before anybody saw it")
	}
}

func TestTheScheduleSweepsEveryMinuteWithoutRetries(t *testing.T) {
	p := named(t, synth(t, nil, fourStreams).root, "AWS::Scheduler::Schedule", "Sweep").Properties
	delete(p, "Description")
	want := object{
		"Name": "datasink.sweep", "ScheduleExpression": "rate(1 minute)", "FlexibleTimeWindow": object{"Mode": "OFF"},
		"Target": object{
			"Arn": "${Drainer.Arn}", "RoleArn": "${SweepRole.Arn}", "Input": `{"sweep":true}`,
			"RetryPolicy": object{"MaximumRetryAttempts": 0.0, "MaximumEventAgeInSeconds": 60.0},
		},
	}
	if diff := cmp.Diff(want, resolved(p)); diff != "" {
		t.Errorf("the schedule differs (-want +got):\n%s", diff)
	}
}

func TestStacksAreTiedToNoAccountByDefault(t *testing.T) {
	if b := readFile(t, synth(t, nil, fourStreams).dir+"/datasink.template.json"); strings.Contains(string(b), testAccount) {
		t.Error("the template names an account")
	}
}

// The daily request must be one that ingest understands: a handler that answers 404 is
// active too, but the alarm for client errors would count it with front=url.
func TestTheDailyRequestAsksIngestForItsHealth(t *testing.T) {
	schedule := named(t, synth(t, nil, fourStreams).root, "AWS::Scheduler::Schedule", "Health").Properties
	if schedule["ScheduleExpression"] != "rate(1 day)" || plain(rendered(at(schedule, "Target", "Arn"))) != "${Ingest.Arn}" {
		t.Errorf("schedule %v", schedule)
	}
	handler := ingest.New(ingest.Config{
		Ingest: env.Defaults(env.ParseIngest), Streams: mustParse(t, fourStreams), Queue: &surroundings{}, Archive: kept{}, Waker: &surroundings{}, Log: slog.New(slog.DiscardHandler),
		Credentials: basicauth.NewCache(func(context.Context) ([]byte, error) { return []byte(`{"datasink":"hunter2"}`), nil }, time.Minute, time.Minute),
	})
	answer, err := handler.Invoke(t.Context(), []byte(rendered(at(schedule, "Target", "Input"))))
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ StatusCode int }
	mustJSON(t, string(answer), &got)
	if got.StatusCode != 200 {
		t.Errorf("ingest answers %s, want 200", answer)
	}
}
