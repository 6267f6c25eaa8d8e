package datasink

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/rig/metrictest"
)

// CloudWatch looks at more periods than an alarm's EvaluationPeriods. Where periods have
// no data it prefers older data points to the treatment of missing data. AWS documents
// the rule but not the number of additional periods; its examples have two.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
const additionalPeriods = 2

// datapoints are the values of a metric by the minute in which they were published.
type datapoints map[int][]float64

// always returns datapoints with the same values in every minute from first to last.
func always(first, last int, values ...float64) datapoints {
	d := make(datapoints)
	for minute := first; minute <= last; minute++ {
		d[minute] = values
	}
	return d
}

// stateAt returns the state of an alarm in a minute: a model of CloudWatch's evaluation.
func stateAt(t *testing.T, alarm object, d datapoints, now int) string {
	t.Helper()
	period := int(numeric(t, alarm["Period"])) / 60
	periods := int(numeric(t, alarm["EvaluationPeriods"]))
	var real []float64 // the newest first
	for i := 1; i <= periods+additionalPeriods && len(real) < periods; i++ {
		var values []float64
		for minute := now - i*period; minute < now-(i-1)*period; minute++ {
			values = append(values, d[minute]...)
		}
		if len(values) > 0 {
			real = append(real, statistic(t, alarm, values))
		}
	}
	breaching := 0
	for _, value := range real {
		if breaches(t, alarm, value) {
			breaching++
		}
	}
	if alarm["TreatMissingData"] == "breaching" {
		breaching += periods - len(real)
	}
	if breaching >= int(numeric(t, alarm["DatapointsToAlarm"])) {
		return "ALARM"
	}
	return "OK"
}

func statistic(t *testing.T, alarm object, values []float64) float64 {
	t.Helper()
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	switch alarm["Statistic"] {
	case "Sum":
		return sum
	case "Average":
		return sum / float64(len(values))
	case "Maximum":
		return slices.Max(values)
	case "SampleCount":
		return float64(len(values))
	}
	t.Fatalf("statistic %v", alarm["Statistic"])
	return math.NaN()
}

func breaches(t *testing.T, alarm object, value float64) bool {
	t.Helper()
	threshold := numeric(t, alarm["Threshold"])
	switch alarm["ComparisonOperator"] {
	case "GreaterThanThreshold":
		return value > threshold
	case "LessThanThreshold":
		return value < threshold
	}
	t.Fatalf("comparison %v", alarm["ComparisonOperator"])
	return false
}

// TestTheModelOfCloudWatch compares the model with the documented examples of missing
// data: three of three periods, five of which are looked at.
func TestTheModelOfCloudWatch(t *testing.T) {
	alarm := object{
		"Period": 60.0, "EvaluationPeriods": 3.0, "DatapointsToAlarm": 3.0, "Threshold": 5.0, "ComparisonOperator": "GreaterThanThreshold", "Statistic": "Maximum",
	}
	for _, tt := range []struct {
		recent              string // the newest last; X breaches, 0 does not, - is missing
		missingOK, breaches string
	}{
		{"0-X-X", "OK", "OK"},
		{"-----", "OK", "ALARM"},
		{"0----", "OK", "OK"},
		{"--X--", "OK", "ALARM"},
		{"XXX-X", "ALARM", "ALARM"},
	} {
		d := make(datapoints)
		for minute, c := range tt.recent {
			switch c {
			case 'X':
				d[minute] = []float64{9}
			case '0':
				d[minute] = []float64{0}
			}
		}
		for treatment, want := range map[string]string{"notBreaching": tt.missingOK, "breaching": tt.breaches} {
			alarm["TreatMissingData"] = treatment
			if got := stateAt(t, alarm, d, len(tt.recent)); got != want {
				t.Errorf("%s with missing data %s: %s, want %s", tt.recent, treatment, got, want)
			}
		}
	}
}

// byAWS are values that AWS publishes in a minute, good and bad.
var byAWS = map[string]struct{ good, bad float64 }{
	"AWS/ApiGateway 4xx":                                           {0.01, 0.5},
	"AWS/ApiGateway 5xx":                                           {0.001, 0.5},
	"AWS/Lambda Url4xxCount":                                       {2, 100},
	"AWS/Lambda Url5xxCount":                                       {1, 10},
	"AWS/Lambda Errors":                                            {0, 1},
	"AWS/Lambda Throttles":                                         {0, 1},
	"AWS/Lambda IteratorAge":                                       {4_000, 120_000},
	"AWS/Lambda DestinationDeliveryFailures":                       {0, 1},
	"AWS/Kinesis GetRecords.IteratorAgeMilliseconds":               {5_000, 700_000},
	"AWS/Firehose DeliveryToS3.DataFreshness":                      {70, 2_000},
	"AWS/SQS ApproximateNumberOfMessagesVisible":                   {0, 1},
	"AWS/S3 PutRequests":                                           {0, 1},
	"AWS/ElastiCache Evictions":                                    {0, 1},
	"AWS/ElastiCache ThrottledCmds":                                {0, 1},
	"AWS/ElastiCache BytesUsedForCache":                            {1e6, 2.9e9},
	"AWS/ElastiCache DatabaseMemoryUsageCountedForEvictPercentage": {10, 90},
	"AWS/ElastiCache DatabaseMemoryUsagePercentage":                {10, 90},
}

// TestEachAlarmStartsInTheBadCaseOnly feeds each alarm of each kind of deployment with half
// a day in which everything fails and half a day in which everything works. The metrics of
// the functions come from their handlers. A metric that an alarm expects to have values
// has none after the first hour of the bad case.
func TestEachAlarmStartsInTheBadCaseOnly(t *testing.T) {
	const hour, noon, end = 60, 12 * 60, 24 * 60
	tested, watched := make(map[any]bool), make(map[string]bool)
	for _, tt := range []struct {
		tap     bool
		context map[string]any
	}{
		{true, nil},
		{true, verified},
		{false, verified},
		{true, byURL},
		{true, byIPv6},
		{true, serverless},
		{true, map[string]any{"profile": "small", "verifyHours": "6"}},
		{false, map[string]any{"profile": "small", "verifyHours": "6"}},
		{true, map[string]any{"cacheShards": "2"}},
		{true, map[string]any{"redisUrl": "rediss://redis.example.com"}},
	} {
		own := map[bool][]metrictest.Point{false: emitted(t, tt.tap, false), true: emitted(t, tt.tap, true)}
		for _, tpl := range synth(t, tt.context, oneStream(tt.tap)).all() {
			for name, a := range alarmsOf(tpl) {
				id := fmt.Sprint(a["Namespace"], " ", a["MetricName"])
				tested[a["AlarmDescription"]], watched[id] = true, true
				values := func(bad bool) (list []float64) {
					if a["Namespace"] != metric.Namespace {
						v, known := byAWS[id]
						if !known {
							t.Errorf("%s watches %s, of which this test has no values", name, id)
						}
						return []float64{map[bool]float64{false: v.good, true: v.bad}[bad]}
					}
					for _, p := range own[bad] {
						if p.Name == a["MetricName"] && p.Dimensions == dimensionsOf(a) {
							list = append(list, p.Values...)
						}
					}
					return list
				}
				d := always(0, noon, values(true)...)
				if a["TreatMissingData"] == "breaching" {
					d = always(0, hour, values(false)...)
				}
				if got := stateAt(t, a, d, noon); got != "ALARM" {
					t.Errorf("%v, tap %v: alarm %s is %s in the bad case, with the values %v a minute", tt.context, tt.tap, name, got, d[0])
				}
				maps.Copy(d, always(noon, end, values(false)...))
				if got := stateAt(t, a, d, end); got != "OK" {
					t.Errorf("%v, tap %v: alarm %s is %s in the good case, with the values %v a minute", tt.context, tt.tap, name, got, d[end])
				}
			}
		}
	}
	for _, a := range everyAlarm() {
		if !tested[a.description()] {
			t.Errorf("no deployment of this test has the alarm %s on %s", a.id, a.metric.name)
		}
	}
	for id := range byAWS {
		if !watched[id] {
			t.Errorf("no alarm watches %s", id)
		}
	}
}

// oneStream is a list of streams with one stream, orders.
func oneStream(tap bool) string {
	return fmt.Sprintf(`{"streams": [{"name": "orders", "tap": %v}]}`, tap)
}

// swept and verifiedOnce are the values of one sweep and of one verification.
const swept, verifiedOnce = 0, 0

func TestTheAlarmForMissingSweeps(t *testing.T) {
	a := alarmsOf(synth(t, nil, fourStreams).root)["datasink.no-sweep"]
	// The alarm is created after the schedule and after the streams, which take longer
	// than a minute.
	for created := 1; created < 10; created++ {
		if got := stateAt(t, a, always(0, created-1, swept), created); got != "OK" {
			t.Errorf("%d min after the first sweep: %s, want OK", created, got)
		}
	}
	if starts := firstAlarm(t, a, always(0, 60, swept), 61, time.Hour); starts > 5*time.Minute {
		t.Errorf("starts %v after the last sweep, want 5 min at most", starts)
	}
	// One missing sweep is no alarm.
	d := always(0, 60, swept)
	delete(d, 58)
	delete(d, 59)
	if got := stateAt(t, a, d, 60); got != "OK" {
		t.Errorf("after two missing sweeps: %s, want OK", got)
	}
}

func TestTheAlarmForMissingVerifications(t *testing.T) {
	for _, hours := range []int{1, 6, 24} {
		a := alarmsOf(synth(t, map[string]any{"verifyHours": float64(hours)}, fourStreams).root)["datasink.no-verification"]
		d := datapoints{}
		last := 0
		for minute := 5; minute < 5*24*60; minute += hours * 60 {
			d[minute] = []float64{verifiedOnce}
			last = minute
		}
		for minute := 6; minute <= last; minute += 7 {
			if got := stateAt(t, a, d, minute); got != "OK" {
				t.Fatalf("every %d hours: %s in minute %d, want OK", hours, got, minute)
			}
		}
		if starts := firstAlarm(t, a, d, last+1, 72*time.Hour); starts > time.Duration(hours+24)*time.Hour {
			t.Errorf("every %d hours: starts %v after the last verification, want %d hours at most", hours, starts, hours+24)
		}
	}
}

// firstAlarm returns the time from a minute until the alarm starts.
func firstAlarm(t *testing.T, alarm object, d datapoints, from int, within time.Duration) time.Duration {
	t.Helper()
	for minute := from; minute < from+int(within.Minutes()); minute++ {
		if stateAt(t, alarm, d, minute) == "ALARM" {
			return time.Duration(minute-from) * time.Minute
		}
	}
	t.Fatalf("no alarm within %v", within)
	return 0
}

// An alarm that starts without data must be created after its metric has data: without
// any data, its first evaluation ends in ALARM.
func TestAlarmsOnMissingDataAreCreatedAfterTheirMetrics(t *testing.T) {
	root := synth(t, verified, fourStreams).root
	for id, r := range ofType(root, "AWS::CloudWatch::Alarm") {
		if r.Properties["TreatMissingData"] != "breaching" {
			continue
		}
		if got := stateAt(t, r.Properties, nil, 60); got != "ALARM" {
			t.Errorf("%s without data is %s", id, got)
		}
		depends := list(r.DependsOn)
		for _, schedule := range []string{"Sweep", "Verify"} {
			if !slices.Contains(depends, schedule) {
				t.Errorf("%s depends on %v, want %s among them", id, depends, schedule)
			}
		}
		streams := 0
		for logical := range ofType(root, "AWS::CloudFormation::Stack") {
			if slices.Contains(depends, plain(logical)) {
				streams++
			}
		}
		if streams == 0 {
			t.Errorf("%s does not wait for the streams", id)
		}
	}
}
