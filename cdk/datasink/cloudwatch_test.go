package datasink

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
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
	"AWS/ElastiCache BytesUsedForCache":                            {1e6, 0.9e9},
	"AWS/ElastiCache DatabaseMemoryUsageCountedForEvictPercentage": {10, 90},
	"AWS/ElastiCache DatabaseMemoryUsagePercentage":                {10, 90},
}

// TestEachAlarmStartsInTheBadCaseOnly feeds each alarm with a day of metrics in which
// everything works and one in which everything fails. Metrics of the functions come from
// their handlers. Alarms that start without data have a test of their own.
func TestEachAlarmStartsInTheBadCaseOnly(t *testing.T) {
	const end = 24 * 60
	own := map[bool]map[string][]float64{}
	for _, bad := range []bool{false, true} {
		own[bad] = make(map[string][]float64)
		for _, p := range emitted(t, "datasink", bad) {
			key := p.Name + " " + p.Dimensions
			own[bad][key] = append(own[bad][key], p.Values...)
		}
	}
	checked := make(map[string]bool)
	for _, context := range []map[string]any{verified, {"profile": "small", "verifyHours": "6"}, {"cacheShards": "2"}} {
		for _, tpl := range synth(t, context, `{"streams": [{"name": "orders"}]}`).all() {
			for name, a := range alarmsOf(tpl) {
				id := fmt.Sprint(a["Namespace"], " ", a["MetricName"])
				checked[id] = true
				for bad, want := range map[bool]string{false: "OK", true: "ALARM"} {
					if bad && a["TreatMissingData"] == "breaching" {
						continue
					}
					var values []float64
					if a["Namespace"] == "DataSink" {
						values = own[bad][fmt.Sprint(a["MetricName"], " ", dimensionsOf(a))]
					} else {
						v, known := byAWS[id]
						if !known {
							t.Errorf("%s watches %s, of which this test has no values", name, id)
						}
						values = []float64{map[bool]float64{false: v.good, true: v.bad}[bad]}
					}
					if got := stateAt(t, a, always(0, end, values...), end); got != want {
						t.Errorf("%v: alarm %s is %s, want %s; bad case %v, values %v a minute", context, name, got, want, bad, values)
					}
				}
			}
		}
	}
	for id := range byAWS {
		if !checked[id] {
			t.Errorf("no alarm watches %s", id)
		}
	}
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
