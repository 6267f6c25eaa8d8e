package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/env"
)

const drainerSeconds = 55

// newDrainer declares the function that moves records from the queue to Kinesis.
func newDrainer(stack awscdk.Stack, d deployment, r resources) awslambda.Function {
	f := function{
		id: "Drainer", name: "drainer", reads: env.Settings(env.ParseDrainer),
		seconds: drainerSeconds, memory: d.DrainerMemory, inVPC: d.InVPC(),
		may: []awsiam.PolicyStatement{
			allow(on(streamsARN(stack, d.Settings)), "kinesis:PutRecords"),
			allow(on(r.queue.QueueArn()), "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"),
			allow(on(r.objects("failed/drainer/*")), "s3:PutObject"),
		},
		more: awslambda.FunctionProps{
			Description: jsii.String("Data Sink: from the queue to Kinesis"),
			// A drainer that leaves records in a queue wakes its successor.
			RecursiveLoop: awslambda.RecursiveLoop_ALLOW,
			// The next sweep starts within a minute.
			RetryAttempts: jsii.Number(0), MaxEventAge: awscdk.Duration_Minutes(jsii.Number(1)),
		},
	}
	if r.redis.secretGrant != nil {
		f.may = append(f.may, allow(on(r.redis.secretGrant), "secretsmanager:GetSecretValue"))
	}
	return newFunction(stack, d, r.network, f, values(d, r))
}
