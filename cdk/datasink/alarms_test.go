package datasink

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// everyAlarm returns all alarms of the runbook.
func everyAlarm() []alarm {
	var all []alarm
	for _, group := range alarmGroups {
		all = append(all, group.alarms...)
	}
	return all
}

// alarmsOf are the alarms of a template by their names.
func alarmsOf(tpl template) map[string]object {
	found := make(map[string]object)
	for _, r := range ofType(tpl, "AWS::CloudWatch::Alarm") {
		found[fmt.Sprint(r.Properties["AlarmName"])] = r.Properties
	}
	return found
}

// dimensionsOf are an alarm's as "Name=value Name=value".
func dimensionsOf(alarm object) string {
	var parts []string
	all, _ := alarm["Dimensions"].([]any)
	for _, d := range all {
		parts = append(parts, fmt.Sprintf("%v=%s", at(d, "Name"), plain(rendered(at(d, "Value")))))
	}
	return strings.Join(parts, " ")
}

// If a metric or a dimension is renamed, an alarm on the old name would never start.
func TestEveryAlarmOnOurMetricsIsOnWhatTheFunctionsEmit(t *testing.T) {
	type emission struct{ unit string }
	all := make(map[string]emission)
	for _, p := range emitted(t, true, true) {
		if p.Namespace != metric.Namespace {
			t.Errorf("%s is in namespace %s", p.Name, p.Namespace)
		}
		all[p.Name+" "+p.Dimensions] = emission{p.Unit}
	}
	checked := make(map[string]bool)
	for _, tpl := range synth(t, verified, oneStream(true)).all() {
		for name, a := range alarmsOf(tpl) {
			if a["Namespace"] != metric.Namespace {
				continue
			}
			key := fmt.Sprint(a["MetricName"], " ", dimensionsOf(a))
			if _, ok := all[key]; !ok {
				t.Errorf("alarm %s is on %s, which no function emits; they emit:\n%s", name, key, strings.Join(slices.Sorted(maps.Keys(all)), "\n"))
			}
			checked[name] = true
		}
	}
	want := []string{
		"datasink.archive-differs", "datasink.backlog", "datasink.blocked-shard", "datasink.dead-letters", "datasink.eviction-policy", "datasink.fallback", "datasink.lost-records", "datasink.no-sweep",
		"datasink.no-verification", "datasink.orders.oldest-record", "datasink.write-throttling",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(checked))); diff != "" {
		t.Errorf("alarms on our metrics (-want +got):\n%s", diff)
	}
}

// described are the alarms of a template by their names without that of the deployment, in
// the form "metric dimensions statistic limit, datapoints of periods×seconds".
func described(tpl template) map[string]string {
	all := make(map[string]string)
	for name, a := range alarmsOf(tpl) {
		text := fmt.Sprintf("%v %v %s %v ", a["Namespace"], a["MetricName"], dimensionsOf(a), a["Statistic"])
		if a["ComparisonOperator"] == "LessThanThreshold" {
			text += "<"
		} else {
			text += ">"
		}
		text += fmt.Sprintf("%v, %v of %v×%vs", a["Threshold"], a["DatapointsToAlarm"], a["EvaluationPeriods"], a["Period"])
		if a["TreatMissingData"] != "notBreaching" {
			text += fmt.Sprintf(", missing data %v", a["TreatMissingData"])
		}
		all[strings.TrimPrefix(name, "datasink.")] = text
	}
	return all
}

func TestTheAlarmsOfEachStream(t *testing.T) {
	nested := synth(t, nil, fourStreams).nested
	for name, freshness := range map[string]string{"orders": "660", "audit": "660", "views": "900", "legacy": "660"} {
		want := map[string]string{
			name + ".oldest-record":      "DataSink OldestRecordAge Service=datasink Stream=" + name + " Maximum >300, 2 of 3×60s",
			name + ".iterator-age":       "AWS/Kinesis GetRecords.IteratorAgeMilliseconds StreamName=datasink." + name + " Maximum >600000, 5 of 5×60s",
			name + ".firehose-freshness": "AWS/Firehose DeliveryToS3.DataFreshness DeliveryStreamName=datasink." + name + " Maximum >" + freshness + ", 2 of 3×300s",
		}
		if diff := cmp.Diff(want, described(nested[name])); diff != "" {
			t.Errorf("alarms of %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTheAlarmsOfTheDeployment(t *testing.T) {
	got := described(synth(t, map[string]any{"streamDrainers": "3", "cacheShards": "2"}, fourStreams).root)
	want := map[string]string{
		"server-errors":                 "AWS/ApiGateway 5xx ApiId=${ApiHttp} Stage=$default Average >0.01, 1 of 1×300s",
		"client-errors":                 "AWS/ApiGateway 4xx ApiId=${ApiHttp} Stage=$default Average >0.05, 3 of 3×300s",
		"ingest-throttles":              "AWS/Lambda Throttles FunctionName=datasink-ingest Sum >0, 1 of 1×60s",
		"fallback":                      "DataSink ArchivedFallback Service=datasink Sum >0, 3 of 5×60s",
		"cache-memory-0001-001":         "AWS/ElastiCache DatabaseMemoryUsagePercentage CacheClusterId=${CacheNodes}-0001-001 Maximum >75, 3 of 5×60s",
		"cache-memory-0002-001":         "AWS/ElastiCache DatabaseMemoryUsagePercentage CacheClusterId=${CacheNodes}-0002-001 Maximum >75, 3 of 5×60s",
		"cache-evictions-0001-001":      "AWS/ElastiCache Evictions CacheClusterId=${CacheNodes}-0001-001 Sum >0, 1 of 1×60s",
		"cache-evictions-0001-002":      "AWS/ElastiCache Evictions CacheClusterId=${CacheNodes}-0001-002 Sum >0, 1 of 1×60s",
		"cache-evictions-0002-001":      "AWS/ElastiCache Evictions CacheClusterId=${CacheNodes}-0002-001 Sum >0, 1 of 1×60s",
		"cache-evictions-0002-002":      "AWS/ElastiCache Evictions CacheClusterId=${CacheNodes}-0002-002 Sum >0, 1 of 1×60s",
		"eviction-policy":               "DataSink EvictionPolicyUnsafe Service=datasink Maximum >0, 1 of 1×60s",
		"backlog":                       "DataSink QueueDepth Service=datasink Maximum >150000, 5 of 5×60s",
		"no-sweep":                      "DataSink QueueDepth Service=datasink SampleCount <1, 3 of 3×60s, missing data breaching",
		"wake-dead-letters":             "AWS/SQS ApproximateNumberOfMessagesVisible QueueName=datasink-wake-dead-letters Maximum >0, 1 of 1×300s",
		"write-throttling":              "DataSink Throttled Service=datasink Sum >0, 10 of 15×60s",
		"read-throttling":               "AWS/Lambda IteratorAge FunctionName=datasink-bridge Maximum >60000, 10 of 15×60s",
		"dead-letters":                  "DataSink DeadLettered Service=datasink Sum >0, 1 of 1×300s",
		"lost-records":                  "DataSink Lost Service=datasink Sum >0, 1 of 1×300s",
		"blocked-shard":                 "DataSink BlockedAge Service=datasink Maximum >1200, 5 of 15×60s",
		"service-dead-letters-lambda":   "AWS/S3 PutRequests BucketName=${Archive} FilterId=lambda Sum >0, 1 of 1×300s",
		"service-dead-letters-firehose": "AWS/S3 PutRequests BucketName=${Archive} FilterId=firehose Sum >0, 1 of 1×300s",
		"destination-failures":          "AWS/Lambda DestinationDeliveryFailures FunctionName=datasink-bridge Sum >0, 1 of 1×300s",
		"function-errors-ingest":        "AWS/Lambda Errors FunctionName=datasink-ingest Sum >0, 3 of 5×60s",
		"function-errors-drainer":       "AWS/Lambda Errors FunctionName=datasink-drainer Sum >0, 3 of 5×60s",
		"function-errors-bridge":        "AWS/Lambda Errors FunctionName=datasink-bridge Sum >0, 3 of 5×60s",
		"function-throttles-drainer":    "AWS/Lambda Throttles FunctionName=datasink-drainer Sum >0, 3 of 5×60s",
		"function-throttles-bridge":     "AWS/Lambda Throttles FunctionName=datasink-bridge Sum >0, 3 of 5×60s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alarms (-want +got):\n%s", diff)
	}
}

func TestAlarmsGoToTheTopicOfTheUsersChoice(t *testing.T) {
	const topic = "arn:aws:sns:eu-west-1:123456789012:alarms"
	for _, tt := range []struct {
		context map[string]any
		want    []any
	}{{nil, nil}, {map[string]any{"alarmTopicArn": topic}, []any{topic}}} {
		for _, tpl := range synth(t, tt.context, fourStreams).all() {
			for name, a := range alarmsOf(tpl) {
				on, _ := a["AlarmActions"].([]any)
				off, _ := a["OKActions"].([]any)
				if !cmp.Equal(on, tt.want) || !cmp.Equal(off, tt.want) || a["ActionsEnabled"] == false {
					t.Errorf("%s notifies %v and %v, want %v", name, on, off, tt.want)
				}
			}
		}
	}
}

// The emulator supports only alarms on one metric, and each metric of an expression costs
// as much as an alarm.
func TestNoAlarmIsOnMetricMath(t *testing.T) {
	for _, tpl := range synth(t, verified, fourStreams).all() {
		for name, a := range alarmsOf(tpl) {
			if a["Metrics"] != nil || a["MetricName"] == nil || a["Namespace"] == nil {
				t.Errorf("%s: %s", name, asJSON(a))
			}
			if p := numeric(t, a["Period"]); p < 60 || int(p)%60 != 0 || numeric(t, a["DatapointsToAlarm"]) > numeric(t, a["EvaluationPeriods"]) {
				t.Errorf("%s: %v of %v periods of %v s", name, a["DatapointsToAlarm"], a["EvaluationPeriods"], p)
			}
		}
	}
}

func TestAnotherRedisHasNoAlarmsOfTheCache(t *testing.T) {
	root := synth(t, map[string]any{"redisUrl": "rediss://redis.example.com"}, fourStreams).root
	for name, a := range alarmsOf(root) {
		if a["Namespace"] == "AWS/ElastiCache" {
			t.Errorf("%s", name)
		}
	}
	if alarmsOf(root)["datasink.eviction-policy"] == nil {
		t.Error("no alarm on the eviction policy, which is known of any Redis")
	}
}

func TestALargeCacheHasNoAlarmForEachNode(t *testing.T) {
	for shards, want := range map[string]int{"50": 50, "95": 1} {
		memory := 0
		for name := range alarmsOf(synth(t, map[string]any{"cacheShards": shards, "cacheReplicas": "4"}, fourStreams).root) {
			if strings.Contains(name, "cache-evictions") {
				t.Errorf("%s shards: an alarm for a single node, %s", shards, name)
			}
			if strings.Contains(name, "cache-memory") {
				memory++
			}
		}
		if memory != want {
			t.Errorf("%s shards: %d alarms of the memory, want %d", shards, memory, want)
		}
	}
}

func TestTheAlarmsOfTwoDeploymentsHaveDifferentNames(t *testing.T) {
	taken := make(map[string]string)
	for deployment, stream := range map[string]string{"a": "wake", "a-wake": "b", "a-b": "a"} {
		a := synth(t, map[string]any{"name": deployment}, `{"streams": [{"name": "`+stream+`"}]}`)
		for _, tpl := range a.all() {
			for name := range alarmsOf(tpl) {
				if taken[name] != "" {
					t.Errorf("%s and %s both have %s", taken[name], deployment, name)
				}
				taken[name] = deployment
			}
		}
	}
}

func TestEveryAlarmSaysWhatItMeansAndWhatToDo(t *testing.T) {
	for _, context := range []map[string]any{verified, {"profile": "small", "verifyHours": "1"}} {
		ids := make(map[string]bool)
		for _, a := range (watched{Settings: parsed(context)}).alarms() {
			if ids[a.id] || !regexp.MustCompile(`^[a-z-]+$`).MatchString(a.id) {
				t.Errorf("id %q", a.id)
			}
			ids[a.id] = true
		}
	}
	for _, a := range everyAlarm() {
		if !strings.HasSuffix(a.means, ".") || !strings.HasSuffix(a.first, ".") || strings.ContainsAny(a.means+a.first, "|`\n") {
			t.Errorf("%s: %s", a.id, a.description())
		}
		if len(a.description()) > 1024 {
			t.Errorf("%s: the description has %d characters, CloudWatch accepts 1,024", a.id, len(a.description()))
		}
		if !strings.Contains(runbook(), "| `"+a.id+"` | "+a.condition()+" | "+a.means+" | "+a.first+" |") {
			t.Errorf("the runbook has no %s", a.id)
		}
	}
	for _, tpl := range synth(t, verified, fourStreams).all() {
		for name, a := range alarmsOf(tpl) {
			if !strings.Contains(runbook(), strings.ReplaceAll(fmt.Sprint(a["AlarmDescription"]), " First: ", " | ")) {
				t.Errorf("%s: the runbook does not say %q", name, a["AlarmDescription"])
			}
		}
	}
}

// TestWhatTheRunbookNamesExists checks that the alarms name log lines, settings and
// metrics that exist.
func TestWhatTheRunbookNamesExists(t *testing.T) {
	known := make(map[string]bool)
	for _, pattern := range []string{"../../internal/pipeline/ingest/*.go", "../../internal/pipeline/drain/*.go", "../../internal/pipeline/bridge/*.go", "../../internal/operate/verifier/*.go"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
		}
		for _, path := range paths {
			for _, name := range regexp.MustCompile(`= "([a-z]+_[a-z_]+|throttled|undelivered)"`).FindAllStringSubmatch(string(readFile(t, path)), -1) {
				known[name[1]] = true
			}
		}
	}
	for _, d := range settings.All() {
		known[d.Name] = true
	}
	for name := range accessLog {
		known[name] = true
	}
	for _, m := range metric.All() {
		known[m.Name] = true
	}
	// Of AWS.
	for _, name := range []string{"ReadProvisionedThroughputExceeded", "GetRecords"} {
		known[name] = true
	}
	named := regexp.MustCompile(`\b([a-z]+(_[a-z]+)+|[a-zA-Z][a-z]+[A-Z][a-zA-Z]+)\b`)
	for _, a := range everyAlarm() {
		for _, name := range named.FindAllString(a.description(), -1) {
			if !known[name] {
				t.Errorf("%s: there is no %s", a.id, name)
			}
		}
	}
}
