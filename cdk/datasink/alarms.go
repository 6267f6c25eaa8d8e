package datasink

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// alarm is an entry of the runbook, and what CloudWatch watches for it. It is
// one alarm, or one for each of what its targets list.
type alarm struct {
	id string
	// means says what has happened, first the first thing to do.
	means, first string

	namespace, metric, statistic string
	targets                      func(w watched) []target
	// seconds are those of a period, a multiple of 60. It goes off when datapoints
	// of the last periods are beyond the limit.
	seconds, datapoints, periods int
	limit                        limit
	// below: the limit is the least value, not the greatest.
	below bool
	// silence is what periods without values mean: by default nothing.
	silence string
}

// limit is the value that an alarm allows; words say it in the runbook.
type limit struct {
	words string
	of    func(w watched) float64
}

func fixed(value float64, words string) limit {
	return limit{words, func(watched) float64 { return value }}
}

// target is a metric's dimensions, by name and value in turn. What tells several
// targets of one alarm apart is their name.
type target struct {
	name       string
	dimensions []*string
}

// watched is what alarms are about: a deployment, or a stream of it.
type watched struct {
	settings
	stream stream.Stream
	apiID  *string
	// cacheGroup is the id of the cache's replication group; nil without one.
	cacheGroup *string
}

// Periods without values.
const (
	silenceIsWell  = "notBreaching"
	silenceIsFault = "breaching"
)

// newAlarms declares alarms, and returns their ARNs. Those of a stream and those
// of the deployment never have the same name.
func newAlarms(scope constructs.Construct, w watched, alarms []alarm) []*string {
	var arns []*string
	prefix := w.name + "."
	if w.stream.Name != "" {
		prefix = stream.ResourceName(w.name, w.stream.Name) + "."
	}
	var actions *[]any
	if w.alarmTopicARN != "" {
		actions = &[]any{w.alarmTopicARN}
	}
	for _, a := range alarms {
		for _, t := range a.targets(w) {
			name := a.id
			if t.name != "" {
				name += "-" + t.name
			}
			props := &awscloudwatch.CfnAlarmProps{
				AlarmName:          jsii.String(prefix + name),
				AlarmDescription:   jsii.String(a.description()),
				Namespace:          jsii.String(a.namespace),
				MetricName:         jsii.String(a.metric),
				Dimensions:         t.properties(),
				Statistic:          jsii.String(a.statistic),
				Period:             jsii.Number(a.seconds),
				EvaluationPeriods:  jsii.Number(a.periods),
				DatapointsToAlarm:  jsii.Number(a.datapoints),
				Threshold:          jsii.Number(a.limit.of(w)),
				ComparisonOperator: jsii.String("GreaterThanThreshold"),
				TreatMissingData:   jsii.String(silenceIsWell),
				AlarmActions:       actions,
				OkActions:          actions,
			}
			if a.below {
				props.ComparisonOperator = jsii.String("LessThanThreshold")
			}
			if a.silence != "" {
				props.TreatMissingData = jsii.String(a.silence)
			}
			arns = append(arns, awscloudwatch.NewCfnAlarm(scope, jsii.String("Alarm-"+name), props).AttrArn())
		}
	}
	return arns
}

// description is what people read who are woken up.
func (a alarm) description() string { return a.means + " First: " + a.first }

func (t target) properties() []*awscloudwatch.CfnAlarm_DimensionProperty {
	var list []*awscloudwatch.CfnAlarm_DimensionProperty
	for i := 0; i < len(t.dimensions); i += 2 {
		list = append(list, &awscloudwatch.CfnAlarm_DimensionProperty{Name: t.dimensions[i], Value: t.dimensions[i+1]})
	}
	return list
}

// one is the only target of an alarm.
func one(dimensions func(w watched) []*string) func(watched) []target {
	return func(w watched) []target { return []target{{dimensions: dimensions(w)}} }
}

// The dimensions of the metrics that the functions emit.
var (
	theService = one(func(w watched) []*string { return dims(metric.Service, w.name) })
	theStream  = one(func(w watched) []*string { return dims(metric.Service, w.name, metric.Stream, w.stream.Name) })
)

// resourceOf is the dimension of a stream's Kinesis stream, or of its Firehose.
func resourceOf(dimension string) func(watched) []target {
	return one(func(w watched) []*string { return dims(dimension, stream.ResourceName(w.name, w.stream.Name)) })
}

// theFunction is a function, eachOf are several.
func theFunction(f string) func(watched) []target {
	return one(func(w watched) []*string { return dims("FunctionName", functionName(w.settings, f)) })
}

func eachOf(functions ...string) func(watched) []target {
	return func(w watched) []target {
		var list []target
		for _, f := range functions {
			list = append(list, target{f, theFunction(f)(w)[0].dimensions})
		}
		return list
	}
}

func theAPI(w watched) []target {
	return []target{{dimensions: []*string{jsii.String("ApiId"), w.apiID, jsii.String("Stage"), jsii.String(apiStage)}}}
}

// theCache is the replication group, if the stack has one.
func theCache(w watched) []target {
	if w.cacheGroup == nil {
		return nil
	}
	return []target{{dimensions: []*string{jsii.String("ReplicationGroupId"), w.cacheGroup}}}
}

// maxNodeAlarms bounds the alarms of a large cache, whose evictions the
// dashboard shows all the same.
const maxNodeAlarms = 20

// cacheNodes are the nodes of the replication group, by the names that
// ElastiCache gives them.
func cacheNodes(w watched) []target {
	if w.cacheGroup == nil || w.cacheShards*(1+w.cacheReplicas) > maxNodeAlarms {
		return nil
	}
	var list []target
	for shard := range w.cacheShards {
		for node := range 1 + w.cacheReplicas {
			name := fmt.Sprintf("%04d-%03d", shard+1, node+1)
			list = append(list, target{name, []*string{jsii.String("CacheClusterId"), joined(w.cacheGroup, jsii.String("-"+name))}})
		}
	}
	return list
}

func dims(namesAndValues ...string) []*string { return *jsii.Strings(namesAndValues...) }

// condition is when an alarm goes off, for the runbook.
func (a alarm) condition() string {
	over := "over"
	if a.below {
		over = "under"
	}
	spell := fmt.Sprintf("for %d min", a.seconds*a.periods/60)
	if a.seconds == day {
		spell = fmt.Sprintf("for %d days", a.periods)
	}
	if a.datapoints != a.periods {
		spell = fmt.Sprintf("in %d of %d min", a.seconds*a.datapoints/60, a.seconds*a.periods/60)
	}
	what := "`" + a.metric + "`"
	if a.statistic == "SampleCount" {
		what = "number of values of " + what
	}
	return fmt.Sprintf("%s %s %s %s", what, over, a.limit.words, spell)
}

// runbook is the table of all alarms in Markdown.
func runbook() string {
	var b strings.Builder
	for _, part := range []struct {
		of     string
		alarms []alarm
	}{{"each stream", streamAlarms}, {"the deployment", serviceAlarms}, {"the verifier, with `verifyHours`", verifierAlarms}} {
		fmt.Fprintf(&b, "Of %s:\n\n| alarm | goes off | means | first thing to do |\n|---|---|---|---|\n", part.of)
		for _, a := range part.alarms {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", a.id, a.condition(), a.means, a.first)
		}
		b.WriteString("\n")
	}
	d, err := parseSettings(nil)
	if err != nil {
		panic(err) // the defaults are in order
	}
	count := 0
	for _, a := range serviceAlarms {
		count += len(a.targets(watched{settings: d, apiID: jsii.String(""), cacheGroup: jsii.String("")}))
	}
	fmt.Fprintf(&b, "An alarm costs $0.10 a month: the deployment has %d with the default cache, each stream adds %d, the verifier %d. The dashboard costs $3 where the account has three others already.\n", count, len(streamAlarms), len(verifierAlarms))
	return b.String()
}
