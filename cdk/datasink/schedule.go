package datasink

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// schedule invokes a function again and again, for the first time when it is deployed.
type schedule struct {
	id, means string
	// every is the time between two invocations, as in "1 minute".
	every string
	// input is the event of the invocations.
	input string
	// An invocation that Lambda does not accept is retried up to a number of times, for
	// some seconds.
	retries, seconds int
}

// sweep lets the drainer sweep all streams. A failed sweep is not retried, because the
// next one follows.
var sweep = schedule{id: "Sweep", means: "the drainer sweeps all streams", every: "1 minute", input: `{"sweep":true}`, retries: 0, seconds: 60}

// dailyHealth asks ingest for its health. Without invocations for about two weeks, Lambda
// would make a function in a VPC inactive, and its next invocations would fail. The event
// is a request GET /health as API Gateway and function URLs send it.
// https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
var dailyHealth = schedule{
	id: "Health", means: "keeps ingest active", every: "1 day", retries: 3, seconds: 3600,
	input: `{"version":"2.0","routeKey":"GET /health","rawPath":"/health","headers":{},"requestContext":{"stage":"$default","http":{"method":"GET","path":"/health"}}}`,
}

// newSchedule declares a schedule that invokes fn, and the role of the schedule.
// EventBridge Scheduler may assume the role only for schedules in the default group of
// this account.
func newSchedule(stack awscdk.Stack, d settings.Settings, s schedule, fn awslambda.Function) awscdk.CfnResource {
	own := map[string]any{"StringEquals": map[string]any{
		"aws:SourceAccount": stack.Account(),
		"aws:SourceArn":     arn(stack, "scheduler", "schedule-group", "default", awscdk.ArnFormat_SLASH_RESOURCE_NAME),
	}}
	role := newRole(stack, s.id+"Role", "scheduler.amazonaws.com", own, allow(on(fn.FunctionArn()), "lambda:InvokeFunction"))
	return awsscheduler.NewCfnSchedule(stack, jsii.String(s.id), &awsscheduler.CfnScheduleProps{
		Name:               jsii.String(d.Name + "." + strings.ToLower(s.id)),
		Description:        jsii.String("Data Sink: " + s.means),
		ScheduleExpression: jsii.String("rate(" + s.every + ")"),
		FlexibleTimeWindow: &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: jsii.String("OFF")},
		Target: &awsscheduler.CfnSchedule_TargetProperty{
			Arn:         fn.FunctionArn(),
			RoleArn:     role.RoleArn(),
			Input:       jsii.String(s.input),
			RetryPolicy: &awsscheduler.CfnSchedule_RetryPolicyProperty{MaximumRetryAttempts: jsii.Number(s.retries), MaximumEventAgeInSeconds: jsii.Number(s.seconds)},
		},
	})
}
