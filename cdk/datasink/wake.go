package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// maxReceives is how often a wake-up is tried. Giving up on one loses nothing:
// the next sweep does its work.
const maxReceives = 5

// wakeDeadLetters is the name of the queue of wake-ups that drainers failed on.
func wakeDeadLetters(s settings) string { return s.name + "-wake-dead-letters" }

// newWakeQueue declares the queue of wake-ups, with a queue of its own for
// those that drainers failed on.
func newWakeQueue(scope constructs.Construct, s settings) awssqs.Queue {
	dead := awssqs.NewQueue(scope, jsii.String("WakeDeadLetters"), &awssqs.QueueProps{
		QueueName:       jsii.String(wakeDeadLetters(s)),
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
	})
	return awssqs.NewQueue(scope, jsii.String("Wake"), &awssqs.QueueProps{
		QueueName:       jsii.String(s.name + "-wake"),
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Hours(jsii.Number(1)),
		// AWS asks for six times the function's timeout.
		VisibilityTimeout: awscdk.Duration_Seconds(jsii.Number(6 * drainerSeconds)),
		DeadLetterQueue:   &awssqs.DeadLetterQueue{Queue: dead, MaxReceiveCount: jsii.Number(maxReceives)},
	})
}

// wakeDrainer invokes the drainer with one wake-up at a time.
func wakeDrainer(scope constructs.Construct, s settings, queue awssqs.Queue, drainer awslambda.Function) {
	awslambda.NewCfnEventSourceMapping(scope, jsii.String("WakeMapping"), &awslambda.CfnEventSourceMappingProps{
		FunctionName:          drainer.FunctionArn(),
		EventSourceArn:        queue.QueueArn(),
		BatchSize:             jsii.Number(1),
		FunctionResponseTypes: jsii.Strings("ReportBatchItemFailures"),
		ScalingConfig:         &awslambda.CfnEventSourceMapping_ScalingConfigProperty{MaximumConcurrency: jsii.Number(s.drainerConcurrency)},
	})
}

// sweepEveryMinute has the drainer look at all streams once a minute. A sweep
// that fails is not retried, for the next one follows.
func sweepEveryMinute(stack awscdk.Stack, s settings, drainer awslambda.Function) {
	role := newRole(stack, "SweepRole", "scheduler.amazonaws.com", ownSchedules(stack), allow(on(drainer.FunctionArn()), "lambda:InvokeFunction"))
	awsscheduler.NewCfnSchedule(stack, jsii.String("Sweep"), &awsscheduler.CfnScheduleProps{
		Name:               jsii.String(s.name + ".sweep"),
		Description:        jsii.String("Data Sink: the drainer looks at all streams"),
		ScheduleExpression: jsii.String("rate(1 minute)"),
		FlexibleTimeWindow: &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: jsii.String("OFF")},
		Target: &awsscheduler.CfnSchedule_TargetProperty{
			Arn:         drainer.FunctionArn(),
			RoleArn:     role.RoleArn(),
			Input:       jsii.String(`{"sweep":true}`),
			RetryPolicy: &awsscheduler.CfnSchedule_RetryPolicyProperty{MaximumRetryAttempts: jsii.Number(0), MaximumEventAgeInSeconds: jsii.Number(60)},
		},
	})
}

// ownSchedules lets EventBridge Scheduler assume a role for schedules of this
// account's default group alone.
func ownSchedules(stack awscdk.Stack) map[string]any {
	return map[string]any{"StringEquals": map[string]any{
		"aws:SourceAccount": stack.Account(),
		"aws:SourceArn":     arn(stack, "scheduler", "schedule-group", "default", awscdk.ArnFormat_SLASH_RESOURCE_NAME),
	}}
}
