package datasink

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// alarm is an entry of the runbook and declares one CloudWatch alarm for each target of
// its metric. The alarm starts when the statistic of the metric is over a limit in the
// spell, or, if absent is set, when the metric has no values in the spell.
type alarm struct {
	id        string
	metric    source
	statistic string
	over      limit
	in        spell
	absent    bool
	// andVerifyHours prolongs the spell by the hours of the setting verifyHours.
	andVerifyHours bool
	// means says what has happened and what it means for the data, first what to do
	// first.
	means, first string
}

// source is a metric of one or more targets.
type source struct {
	namespace, name string
	targets         func(w watched) []target
}

// ours is a metric that the functions emit, aws a metric that a service of AWS publishes.
// dimensions are those of its only target.
func ours(m metric.Metric, dimensions func(watched) []*string) source {
	return source{metric.Namespace, m.Name, one(dimensions)}
}

func aws(service, name string, dimensions func(watched) []*string) source {
	return source{"AWS/" + service, name, one(dimensions)}
}

func one(dimensions func(watched) []*string) func(watched) []target {
	return func(w watched) []target { return []target{{dimensions: dimensions(w)}} }
}

// Statistics of a period.
const (
	average = "Average"
	maximum = "Maximum"
	sum     = "Sum"
	samples = "SampleCount"
)

// Lengths of periods in seconds.
const (
	minute      = 60
	fiveMinutes = 5 * minute
	hour        = 60 * minute
)

// limit is the threshold of an alarm. words is its text in the runbook.
type limit struct {
	words string
	of    func(w watched) float64
}

var zero = count(0)

func count(n int) limit { return fixed(float64(n), strconv.Itoa(n)) }

func fixed(value float64, words string) limit {
	return limit{words, func(watched) float64 { return value }}
}

// spell is a number of datapoints in the last periods. Each period has a number of
// seconds, a multiple of 60.
type spell struct{ datapoints, periods, seconds int }

// watched is what alarms and the dashboard watch: a deployment, or one stream of it.
type watched struct {
	settings.Settings
	// streams are the streams of a deployment, stream is the one stream.
	streams []stream.Stream
	stream  stream.Stream
	// apiID is the ID of the HTTP API, or nil.
	apiID *string
	// cacheGroup is the ID of the replication group, or nil.
	cacheGroup *string
	// bucket is the name of the archive's bucket.
	bucket *string
	// started are the resources after which the metrics have values. An alarm on absent
	// values depends on them.
	started []awscdk.CfnResource
}

// hasTaps reports whether a stream of the deployment has a tap.
func (w watched) hasTaps() bool { return slices.ContainsFunc(w.streams, stream.Stream.HasTap) }

// alarms returns the alarms of the deployment, in the order of the pipeline.
func (w watched) alarms() []alarm {
	all := apiAlarms
	if w.Front == settings.FrontURL {
		all = urlAlarms
	}
	switch {
	case w.Serverless():
		all = slices.Concat(all, serverlessAlarms)
	case w.CreatesCache():
		all = slices.Concat(all, cacheAlarms)
	}
	all = slices.Concat(all, serviceAlarms)
	if w.hasTaps() {
		all = slices.Concat(all, bridgeAlarms)
	}
	if w.Verifies() {
		all = slices.Concat(all, verifierAlarms)
	}
	return all
}

// newAlarms declares alarms and returns their ARNs. An alarm of a stream never has
// the name of an alarm of the deployment.
func newAlarms(scope constructs.Construct, w watched, alarms []alarm) []*string {
	var arns []*string
	prefix := w.Name + "."
	if w.stream.Name != "" {
		prefix = stream.ResourceName(w.Name, w.stream.Name) + "."
	}
	var actions *[]any
	if w.AlarmTopicARN != "" {
		actions = &[]any{w.AlarmTopicARN}
	}
	for _, a := range alarms {
		for _, t := range a.metric.targets(w) {
			name := a.id
			if t.name != "" {
				name += "-" + t.name
			}
			in := a.in
			if a.andVerifyHours {
				in.datapoints, in.periods = in.datapoints+w.VerifyHours, in.periods+w.VerifyHours
			}
			props := &awscloudwatch.CfnAlarmProps{
				AlarmName:         jsii.String(prefix + name),
				AlarmDescription:  jsii.String(a.description()),
				Namespace:         jsii.String(a.metric.namespace),
				MetricName:        jsii.String(cmp.Or(t.metric, a.metric.name)),
				Dimensions:        t.properties(),
				Period:            jsii.Number(in.seconds),
				EvaluationPeriods: jsii.Number(in.periods),
				DatapointsToAlarm: jsii.Number(in.datapoints),
				AlarmActions:      actions,
				OkActions:         actions,
			}
			if a.absent {
				props.Statistic, props.Threshold = jsii.String(samples), jsii.Number(1)
				props.ComparisonOperator, props.TreatMissingData = jsii.String("LessThanThreshold"), jsii.String("breaching")
			} else {
				props.Statistic, props.Threshold = jsii.String(a.statistic), jsii.Number(a.over.of(w))
				props.ComparisonOperator, props.TreatMissingData = jsii.String("GreaterThanThreshold"), jsii.String("notBreaching")
			}
			created := awscloudwatch.NewCfnAlarm(scope, jsii.String("Alarm-"+name), props)
			if a.absent {
				// Without any data, the first evaluation would end in ALARM.
				for _, r := range w.started {
					created.AddResourceDependency(r, nil)
				}
			}
			arns = append(arns, created.AttrArn())
		}
	}
	return arns
}

// description is the text that a person reads when the alarm starts.
func (a alarm) description() string { return a.means + " First: " + a.first }
