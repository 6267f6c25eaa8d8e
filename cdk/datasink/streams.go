package datasink

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// newStreams declares a nested stack for each stream. It returns the nested stacks that
// are deployed last. A nested stack waits for the cache: if the cache fails at a first
// deploy, there are no Kinesis streams yet that would be retained and block the next try.
func newStreams(stack awscdk.Stack, d deployment, to destination, bridge awslambda.Function, cache awscdk.CfnResource) []awscdk.CfnResource {
	scope := constructs.NewConstruct(stack, jsii.String("Streams"))
	nested := make(map[string]awscdk.CfnResource)
	names := d.streams.Names()
	for _, name := range names {
		s, _ := d.streams.Lookup(name)
		nested[name] = newStream(scope, d.Settings, s, to, bridge).NestedStackResource()
	}
	var last []awscdk.CfnResource
	for _, chain := range deployOrder(names) {
		for i, name := range chain {
			switch {
			case i > 0:
				nested[name].AddResourceDependency(nested[chain[i-1]], nil)
			case cache != nil:
				nested[name].AddResourceDependency(cache, nil)
			}
			if i == len(chain)-1 {
				last = append(last, nested[name])
			}
		}
	}
	return last
}

// newStream declares the nested stack of a stream: its Firehose, its tap and the mapping
// between them, its table, and its alarms. bridge is not nil if the stream has a tap.
func newStream(scope constructs.Construct, d settings.Settings, s stream.Stream, to destination, bridge awslambda.Function) awscdk.NestedStack {
	nested := awscdk.NewNestedStack(scope, jsii.String(s.Name), &awscdk.NestedStackProps{
		Description: jsii.String("Data Sink " + d.Name + ": stream " + s.Name),
	})
	firehose := newFirehose(nested, d, s, to)
	outputs := []output{{"FirehoseArn", firehoseARN(nested, d.Name, s.Name), "The Firehose that writes to the archive"}}
	alarms := streamAlarms
	if s.HasTap() {
		tap := newTap(nested, d, s)
		newBridging(nested, s, tap, bridge.FunctionArn(), to.bucket.BucketArn()).AddResourceDependency(firehose, nil)
		outputs = append(outputs, output{"KinesisStreamArn", tap.AttrArn(), "The tap"})
		alarms = slices.Concat(alarms, tapAlarms)
	}
	if d.Lake && s.HasTable() {
		newTable(nested, d, s, to.database, to.bucket.BucketName())
	}
	newAlarms(nested, watched{Settings: d, stream: s}, alarms)
	// The root stack could not have an output for each of 300 streams.
	newOutputs(nested, outputs)
	return nested
}
