package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newStack declares the root stack of a deployment with a nested stack for each
// stream. Names and logical IDs depend only on the names of the deployment and of the
// streams.
func newStack(app constructs.Construct, d deployment) awscdk.Stack {
	props := &awscdk.StackProps{Description: jsii.String("Data Sink " + d.Name + ": HTTP bodies, by way of Redis, Kinesis and Firehose, into S3")}
	if d.VPCID != "" || d.fixed {
		// A stack can look up a VPC only in a known account and Region.
		props.Env = &awscdk.Environment{}
		if d.account != "" {
			props.Env.Account = jsii.String(d.account)
		}
		if d.region != "" {
			props.Env.Region = jsii.String(d.region)
		}
	}
	if len(d.tags) > 0 {
		tags := make(map[string]*string, len(d.tags))
		for name, value := range d.tags {
			tags[name] = jsii.String(value)
		}
		props.Tags = &tags
	}
	stack := awscdk.NewStack(app, jsii.String(d.Name), props)

	bucket := newArchive(stack, d.Settings)
	clients := newClientsSecret(stack, d.Settings)
	queue := newWakeQueue(stack, d.Settings)
	var net *network
	if d.InVPC() {
		net = newNetwork(stack, d.Settings)
	}
	redis := newRedis(stack, d.Settings, net)

	r := resources{bucket: bucket, clients: clients, queue: queue, redis: redis, network: net}
	drainer, bridge, ingest := newDrainer(stack, d, r), newBridge(stack, d, r), newIngest(stack, d, r)
	// The drainer is updated first: it must understand what a new ingest pushes.
	ingest.Node().AddDependency(drainer)
	newWaking(stack, d.Settings, queue, drainer)
	started := []awscdk.CfnResource{newSweep(stack, d.Settings, drainer)}
	if d.InVPC() {
		newDailyHealth(stack, d.Settings, ingest)
	}
	front := newFront(stack, d.Settings, ingest)
	// The streams take minutes to create, in which the first sweeps run.
	started = append(started, newStreams(stack, d, bucket, bridge, redis.cache)...)
	outputs := []output{
		{"ApiUrl", front.url, "POST bodies to /archives/{stream} below this URL"},
		{"ArchiveBucket", bucket.BucketName(), "The archive"},
		{"ClientsSecret", clients.SecretArn(), "The secret with clients and their passwords"},
		{"IngestFunction", ingest.FunctionName(), "The function that accepts records"},
		{"DrainerFunction", drainer.FunctionName(), "The function that drains the queue and reports its state"},
		{"BridgeFunction", bridge.FunctionName(), "The function that moves records from Kinesis to Firehose"},
		{"WakeQueue", queue.QueueUrl(), "The queue of wake-ups for the drainer"},
	}
	if d.Verifies() {
		verifier, schedule := newVerifier(stack, d, r, drainer)
		started = append(started, schedule)
		outputs = append(outputs, output{"VerifierFunction", verifier.FunctionName(), "The function that verifies the archive"})
	}
	all := watched{Settings: d.Settings, apiID: front.apiID, cacheGroup: redis.group, bucket: bucket.BucketName(), started: started}
	newDashboard(stack, all, newAlarms(constructs.NewConstruct(stack, jsii.String("Alarms")), all, all.alarms()))
	for _, o := range outputs {
		awscdk.NewCfnOutput(stack, jsii.String(o.name), &awscdk.CfnOutputProps{Value: o.value, Description: jsii.String(o.means)})
	}
	return stack
}

// output is an output of the stack.
type output struct {
	name  string
	value *string
	means string
}
