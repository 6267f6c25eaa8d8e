package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// maxReceives is the number of times that a wake-up is received before it becomes a
// dead letter of its queue. No record is lost then: the next sweep does the work.
const maxReceives = 5

// wakeDeadLetters is the name of the queue of wake-ups on which drainers failed.
func wakeDeadLetters(s settings.Settings) string { return s.Name + "-wake-dead-letters" }

// newWakeQueue declares the queue of wake-ups and its dead-letter queue.
func newWakeQueue(scope constructs.Construct, s settings.Settings) awssqs.Queue {
	dead := awssqs.NewQueue(scope, jsii.String("WakeDeadLetters"), &awssqs.QueueProps{
		QueueName:       jsii.String(wakeDeadLetters(s)),
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
	})
	return awssqs.NewQueue(scope, jsii.String("Wake"), &awssqs.QueueProps{
		QueueName:       jsii.String(s.Name + "-wake"),
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Hours(jsii.Number(1)),
		// AWS recommends six times the timeout of the function.
		VisibilityTimeout: awscdk.Duration_Seconds(jsii.Number(6 * drainerSeconds)),
		DeadLetterQueue:   &awssqs.DeadLetterQueue{Queue: dead, MaxReceiveCount: jsii.Number(maxReceives)},
	})
}

// newWaking declares the event source mapping that invokes the drainer with one
// wake-up at a time.
func newWaking(scope constructs.Construct, s settings.Settings, queue awssqs.Queue, drainer awslambda.Function) {
	awslambda.NewCfnEventSourceMapping(scope, jsii.String("WakeMapping"), &awslambda.CfnEventSourceMappingProps{
		FunctionName:          drainer.FunctionArn(),
		EventSourceArn:        queue.QueueArn(),
		BatchSize:             jsii.Number(1),
		FunctionResponseTypes: jsii.Strings("ReportBatchItemFailures"),
		ScalingConfig:         &awslambda.CfnEventSourceMapping_ScalingConfigProperty{MaximumConcurrency: jsii.Number(s.DrainerConcurrency)},
	})
}
