package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
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
		net = newNetwork(stack, d)
	}
	redis := newRedis(stack, d.Settings, net)

	r := resources{bucket: bucket, clients: clients, queue: queue, redis: redis, network: net}
	drainer, ingest := newDrainer(stack, d, r), newIngest(stack, d, r)
	var bridge awslambda.Function
	if d.hasTaps() {
		bridge = newBridge(stack, d, r)
	}
	// The drainer is updated first: it must understand what a new ingest pushes.
	ingest.Node().AddDependency(drainer)
	newWaking(stack, d.Settings, queue, drainer)
	started := []awscdk.CfnResource{newSchedule(stack, d.Settings, sweep, drainer)}
	if d.InVPC() {
		newSchedule(stack, d.Settings, dailyHealth, ingest)
	}
	url, apiID := newFront(stack, d.Settings, ingest)
	to := newDestination(stack, d.Settings, bucket)
	if d.Lake {
		to.database = newLake(stack, d.Settings).Ref()
	}
	// The streams take minutes to create, in which the first sweeps run.
	started = append(started, newStreams(stack, d, to, bridge, redis.cache)...)
	outputs := []output{
		{"ApiUrl", url, "POST bodies to /archives/{stream} below this URL"},
		{"ArchiveBucket", bucket.BucketName(), "The archive"},
		{"ClientsSecret", clients.SecretArn(), "The secret with clients and their passwords"},
		{"IngestFunction", ingest.FunctionName(), "The function that accepts records"},
		{"DrainerFunction", drainer.FunctionName(), "The function that drains the queue and reports its state"},
		{"WakeQueue", queue.QueueUrl(), "The queue of wake-ups for the drainer"},
	}
	if bridge != nil {
		outputs = append(outputs, output{"BridgeFunction", bridge.FunctionName(), "The function that moves records from Kinesis to Firehose"})
	}
	if d.Verifies() {
		verifier, schedule := newVerifier(stack, d, r, drainer)
		started = append(started, schedule)
		onlyWritesManifests(bucket, verifier.Role())
		outputs = append(outputs, output{"VerifierFunction", verifier.FunctionName(), "The function that verifies the archive"})
	}
	if d.Lake {
		outputs = append(outputs, output{"LakeDatabase", to.database, "The database with a table of each stream"})
	}
	if d.ObjectsTopic {
		outputs = append(outputs, output{"ObjectsTopic", newObjectsTopic(stack, d.Settings, bucket).Ref(), "The topic that announces new objects and manifests"})
	}
	all := watched{Settings: d.Settings, streams: d.streams.All(), apiID: apiID, cacheGroup: redis.group, bucket: bucket.BucketName(), started: started}
	dashboard := newDashboard(stack, all, newAlarms(constructs.NewConstruct(stack, jsii.String("Alarms")), all, all.alarms()))
	newOutputs(stack, append(outputs, output{"DashboardUrl", dashboard, "The dashboard"}))
	return stack
}

// output is an output of the root stack or of a nested stack.
type output struct {
	name  string
	value *string
	means string
}

func newOutputs(stack awscdk.Stack, outputs []output) {
	for _, o := range outputs {
		awscdk.NewCfnOutput(stack, jsii.String(o.name), &awscdk.CfnOutputProps{Value: o.value, Description: jsii.String(o.means)})
	}
}
