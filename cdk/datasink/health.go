package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// healthEvent is a request GET /health as API Gateway and function URLs send it.
const healthEvent = `{"version":"2.0","routeKey":"GET /health","rawPath":"/health","headers":{},"requestContext":{"stage":"$default","http":{"method":"GET","path":"/health"}}}`

// newDailyHealth declares the schedule that asks ingest once a day for its health.
// Without invocations for about two weeks, Lambda would make a function in a VPC
// inactive, and its next invocations would fail.
// https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
func newDailyHealth(stack awscdk.Stack, s settings.Settings, ingest awslambda.Function) {
	role := newRole(stack, "HealthRole", "scheduler.amazonaws.com", ownSchedules(stack), allow(on(ingest.FunctionArn()), "lambda:InvokeFunction"))
	awsscheduler.NewCfnSchedule(stack, jsii.String("Health"), &awsscheduler.CfnScheduleProps{
		Name:               jsii.String(s.Name + ".health"),
		Description:        jsii.String("Data Sink: keeps ingest active"),
		ScheduleExpression: jsii.String("rate(1 day)"),
		FlexibleTimeWindow: &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: jsii.String("OFF")},
		Target: &awsscheduler.CfnSchedule_TargetProperty{
			Arn:         ingest.FunctionArn(),
			RoleArn:     role.RoleArn(),
			Input:       jsii.String(healthEvent),
			RetryPolicy: &awsscheduler.CfnSchedule_RetryPolicyProperty{MaximumRetryAttempts: jsii.Number(3), MaximumEventAgeInSeconds: jsii.Number(3600)},
		},
	})
}
