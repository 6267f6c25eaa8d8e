package datasink

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

const drainerSeconds = 55

// newDrainer declares the function that moves records from the queue to Kinesis, or to
// Firehose for streams that do not feed a tap.
func newDrainer(stack awscdk.Stack, d deployment, r resources) awslambda.Function {
	f := function{
		id: "Drainer", name: "drainer", reads: env.Settings(env.ParseDrainer),
		seconds: drainerSeconds, memory: d.DrainerMemory,
		may: []awsiam.PolicyStatement{
			allow(on(r.queue.QueueArn()), "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"),
			allow(on(r.objects("failed/drainer/*")), "s3:PutObject"),
		},
		more: awslambda.FunctionProps{
			Description: jsii.String("Data Sink: from the queue to Kinesis or Firehose"),
			// A drainer that leaves records in a queue wakes its successor.
			RecursiveLoop: awslambda.RecursiveLoop_ALLOW,
			// The next sweep starts within a minute.
			RetryAttempts: jsii.Number(0), MaxEventAge: awscdk.Duration_Minutes(jsii.Number(1)),
		},
	}
	if slices.ContainsFunc(d.streams.All(), stream.Stream.FeedsTap) {
		f.may = append(f.may, allow(on(streamsARN(stack, d.Settings)), "kinesis:PutRecords"))
	}
	if firehoses := drainedFirehoses(stack, d); len(firehoses) > 0 {
		f.may = append(f.may, allow(firehoses, "firehose:PutRecordBatch"))
	}
	if r.redis.secretGrant != nil {
		f.may = append(f.may, allow(on(r.redis.secretGrant), "secretsmanager:GetSecretValue"))
	}
	return newFunction(stack, d, r.network, f, values(d, r))
}

// maxNamedFirehoses bounds the size of the drainer's policy.
const maxNamedFirehoses = 40

// drainedFirehoses returns the ARNs of the Firehoses to which the drainer puts records
// itself, or the pattern of all Firehoses of the deployment if they are too many to be
// named in a policy.
func drainedFirehoses(stack awscdk.Stack, d deployment) []*string {
	var arns []*string
	for _, name := range d.streams.Names() {
		if s, _ := d.streams.Lookup(name); !s.FeedsTap() {
			arns = append(arns, firehoseARN(stack, d.Name, name))
		}
	}
	if len(arns) > maxNamedFirehoses {
		return on(firehosesARN(stack, d.Settings))
	}
	return arns
}
