package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// newSweep declares the schedule that lets the drainer sweep all streams once a
// minute. A failed sweep is not retried, because the next one follows.
func newSweep(stack awscdk.Stack, s settings.Settings, drainer awslambda.Function) awscdk.CfnResource {
	role := newRole(stack, "SweepRole", "scheduler.amazonaws.com", ownSchedules(stack), allow(on(drainer.FunctionArn()), "lambda:InvokeFunction"))
	return awsscheduler.NewCfnSchedule(stack, jsii.String("Sweep"), &awsscheduler.CfnScheduleProps{
		Name:               jsii.String(s.Name + ".sweep"),
		Description:        jsii.String("Data Sink: the drainer sweeps all streams"),
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

// ownSchedules returns the conditions under which EventBridge Scheduler may assume a
// role: only for schedules in the default group of this account.
func ownSchedules(stack awscdk.Stack) map[string]any {
	return map[string]any{"StringEquals": map[string]any{
		"aws:SourceAccount": stack.Account(),
		"aws:SourceArn":     arn(stack, "scheduler", "schedule-group", "default", awscdk.ArnFormat_SLASH_RESOURCE_NAME),
	}}
}
