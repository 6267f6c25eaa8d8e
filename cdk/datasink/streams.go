package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// newStreams declares a nested stack for each stream. It returns the nested stacks that
// are deployed last. A nested stack waits for the cache: if the cache fails at a first
// deploy, there are no Kinesis streams yet that would be retained and block the next try.
func newStreams(stack awscdk.Stack, d deployment, bucket awss3.IBucket, bridge awslambda.Function, cache awscdk.CfnResource) []awscdk.CfnResource {
	scope := constructs.NewConstruct(stack, jsii.String("Streams"))
	to := newDestination(stack, d.Settings, bucket)
	nested := make(map[string]awscdk.CfnResource)
	names := d.streams.Names()
	for _, name := range names {
		s, _ := d.streams.Lookup(name)
		nested[name] = newStream(scope, d.Settings, s, to, bridge.FunctionArn()).NestedStackResource()
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

// newStream declares the nested stack of a stream: its tap, its Firehose, the
// mapping between them, and its alarms.
func newStream(scope constructs.Construct, d settings.Settings, s stream.Stream, to destination, bridgeARN *string) awscdk.NestedStack {
	nested := awscdk.NewNestedStack(scope, jsii.String(s.Name), &awscdk.NestedStackProps{
		Description: jsii.String("Data Sink " + d.Name + ": stream " + s.Name),
	})
	tap := newTap(nested, d, s)
	firehose := newFirehose(nested, d, s, to)
	newBridging(nested, s, tap, bridgeARN, to.bucket.BucketArn()).AddResourceDependency(firehose, nil)
	newAlarms(nested, watched{Settings: d, stream: s}, streamAlarms)
	return nested
}
