package datasink

import (
	"cmp"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// alarm is an entry of the runbook and declares one CloudWatch alarm for each of its
// targets.
type alarm struct {
	id string
	// means says what has happened, first what to do first.
	means, first string

	namespace, metric, statistic string
	targets                      func(w watched) []target
	// seconds is the length of a period, a multiple of 60. The alarm starts when
	// datapoints of the last periods are beyond the limit.
	seconds, datapoints, periods int
	// spell replaces datapoints and periods where they depend on a setting.
	spell func(w watched) int
	limit limit
	// below: the alarm starts below the limit, not above it.
	below bool
	// missing is the treatment of periods without data, by default missingIsOK.
	missing string
}

// limit is the threshold of an alarm. words is its text in the runbook.
type limit struct {
	words string
	of    func(w watched) float64
}

func fixed(value float64, words string) limit {
	return limit{words, func(watched) float64 { return value }}
}

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
	// started are the resources after which the metrics exist that an alarm with
	// missingIsFailed watches.
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

// Treatments of periods without data.
const (
	missingIsOK     = "notBreaching"
	missingIsFailed = "breaching"
)

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
		for _, t := range a.targets(w) {
			name := a.id
			if t.name != "" {
				name += "-" + t.name
			}
			datapoints, periods := a.datapoints, a.periods
			if a.spell != nil {
				periods = a.spell(w)
				datapoints = periods
			}
			props := &awscloudwatch.CfnAlarmProps{
				AlarmName:          jsii.String(prefix + name),
				AlarmDescription:   jsii.String(a.description()),
				Namespace:          jsii.String(a.namespace),
				MetricName:         jsii.String(cmp.Or(t.metric, a.metric)),
				Dimensions:         t.properties(),
				Statistic:          jsii.String(a.statistic),
				Period:             jsii.Number(a.seconds),
				EvaluationPeriods:  jsii.Number(periods),
				DatapointsToAlarm:  jsii.Number(datapoints),
				Threshold:          jsii.Number(a.limit.of(w)),
				ComparisonOperator: jsii.String("GreaterThanThreshold"),
				TreatMissingData:   jsii.String(missingIsOK),
				AlarmActions:       actions,
				OkActions:          actions,
			}
			if a.below {
				props.ComparisonOperator = jsii.String("LessThanThreshold")
			}
			if a.missing != "" {
				props.TreatMissingData = jsii.String(a.missing)
			}
			created := awscloudwatch.NewCfnAlarm(scope, jsii.String("Alarm-"+name), props)
			if a.missing == missingIsFailed {
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
