package datasink

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newStack declares the root stack of a deployment and, in it, a nested stack
// for each stream. Names and logical ids follow from the names of deployment
// and streams alone.
func newStack(app constructs.Construct, d deployment) awscdk.Stack {
	props := &awscdk.StackProps{Description: jsii.String("Data Sink " + d.name + ": HTTP bodies, by way of Redis, Kinesis and Firehose, into S3")}
	if d.vpcID != "" {
		// Only a stack that knows its account and Region can look up a VPC.
		props.Env = &awscdk.Environment{Account: jsii.String(d.account), Region: jsii.String(d.region)}
	}
	stack := awscdk.NewStack(app, jsii.String(d.name), props)

	bucket := newArchive(stack, d.settings)
	clients := newClientsSecret(stack, d.settings)
	queue := newWakeQueue(stack, d.settings)
	var net *network
	if d.inVPC() {
		net = newNetwork(stack, d.settings)
	}
	redis := newRedis(stack, d.settings, net)

	r := resources{bucket: bucket, clients: clients, queue: queue, redis: redis, network: net}
	f := newFunctions(stack, d, r)
	wakeDrainer(stack, d.settings, queue, f.drainer)
	sweepEveryMinute(stack, d.settings, f.drainer)
	apiID, apiURL := newAPI(stack, d.settings, f.ingest)
	newStreams(stack, d, bucket, f.bridge)
	all := watched{settings: d.settings, apiID: apiID, cacheGroup: redis.group}
	alarms := serviceAlarms
	outputs := []output{
		{"ApiUrl", apiURL, "POST bodies to /archives/{stream} below this URL"},
		{"ArchiveBucket", bucket.BucketName(), "The archive"},
		{"ClientsSecret", clients.SecretArn(), "The secret with clients and their passwords"},
		{"IngestFunction", f.ingest.FunctionName(), "The function that takes records in"},
		{"DrainerFunction", f.drainer.FunctionName(), "The function that drains the queue, and inspects it"},
		{"BridgeFunction", f.bridge.FunctionName(), "The function that carries records from Kinesis to Firehose"},
		{"WakeQueue", queue.QueueUrl(), "The queue of wake-ups for the drainer"},
	}
	if d.verifies() {
		alarms = slices.Concat(alarms, verifierAlarms)
		outputs = append(outputs, output{"VerifierFunction", newVerifier(stack, d, r, f).FunctionName(), "The function that verifies the archive"})
	}
	newDashboard(stack, all, newAlarms(constructs.NewConstruct(stack, jsii.String("Alarms")), all, alarms))
	for _, o := range outputs {
		awscdk.NewCfnOutput(stack, jsii.String(o.name), &awscdk.CfnOutputProps{Value: o.value, Description: jsii.String(o.means)})
	}
	return stack
}

// output is what a stack tells about itself.
type output struct {
	name  string
	value *string
	means string
}
