package datasink

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/env"
)

const (
	// verifierSeconds is what Lambda allows at most.
	verifierSeconds = 900
	// verifierMemory, in MB, has room for the objects of four streams, 128 MiB
	// each, and for the lines of the bridge's log. New accounts allow no more.
	verifierMemory = 3008
	// verifierMinute is the minute of an hour in which the verifier runs: it looks
	// at hours that have been over for so long.
	verifierMinute = 45
	// verifierLogHours is how many hours of the log it reads besides those that it
	// verifies: the one before, and that in which it runs.
	verifierLogHours = 2
)

// verifyHours are the divisors of a day, so that windows follow on each other.
var verifyHours = []int{1, 2, 3, 4, 6, 8, 12, 24}

func readVerifyHours(s *settings, value string) error {
	n, err := strconv.Atoi(value)
	if s.verifyHours = n; err != nil || n != 0 && !slices.Contains(verifyHours, n) {
		return fmt.Errorf("%q: want 0 or one of %s", value, strings.Trim(fmt.Sprint(verifyHours), "[]"))
	}
	return nil
}

// verifies reports whether the stack has a verifier.
func (s settings) verifies() bool { return s.verifyHours > 0 }

// newVerifier declares the function that verifies the archive, and its schedule.
func newVerifier(stack awscdk.Stack, d deployment, r resources, f allFunctions) awslambda.Function {
	values := values(d, r)
	values[env.DrainerFunction] = f.drainer.FunctionName()
	values[env.BridgeLog] = jsii.String(logGroupName(d.settings, "bridge"))
	values[env.VerifyEvery] = jsii.String((time.Duration(d.verifyHours) * time.Hour).String())
	fn := newFunction(stack, d, nil, function{
		id: "Verifier", name: verifierFunction, reads: env.Settings(env.ParseVerifier),
		seconds: verifierSeconds, memory: verifierMemory,
		may: []awsiam.PolicyStatement{
			allow(on(f.drainer.FunctionArn()), "lambda:InvokeFunction"),
			allow(logGroupARNs(stack, logGroupName(d.settings, "bridge")), "logs:FilterLogEvents"),
			allow(on(r.bucket.BucketArn()), "s3:ListBucket"),
			allow(on(r.bucket.ArnForObjects(jsii.String("*/dt=*"))), "s3:GetObject"),
		},
		more: awslambda.FunctionProps{
			Description: jsii.String("Data Sink: whether the archive has what was sent to it"),
			// What could not be verified is alarmed: a second try would hide it.
			RetryAttempts: jsii.Number(0), MaxEventAge: awscdk.Duration_Hours(jsii.Number(1)),
		},
	}, values)

	role := newRole(stack, "VerifyRole", "scheduler.amazonaws.com", ownSchedules(stack), allow(on(fn.FunctionArn()), "lambda:InvokeFunction"))
	awsscheduler.NewCfnSchedule(stack, jsii.String("Verify"), &awsscheduler.CfnScheduleProps{
		Name:               jsii.String(d.name + ".verify"),
		Description:        jsii.String("Data Sink: the verifier looks at the archive"),
		ScheduleExpression: jsii.String(verifySchedule(d.verifyHours)),
		FlexibleTimeWindow: &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: jsii.String("OFF")},
		Target: &awsscheduler.CfnSchedule_TargetProperty{
			Arn:     fn.FunctionArn(),
			RoleArn: role.RoleArn(),
			// However late it runs, it verifies the hours that it was to.
			Input:       jsii.String(`{"scheduledAt":"<aws.scheduler.scheduled-time>"}`),
			RetryPolicy: &awsscheduler.CfnSchedule_RetryPolicyProperty{MaximumRetryAttempts: jsii.Number(10), MaximumEventAgeInSeconds: jsii.Number(3600)},
		},
	})
	return fn
}

// verifySchedule is when the verifier runs, in UTC.
func verifySchedule(hours int) string {
	var at []string
	for hour := 0; hour < 24; hour += hours {
		at = append(at, strconv.Itoa(hour))
	}
	return fmt.Sprintf("cron(%d %s * * ? *)", verifierMinute, strings.Join(at, ","))
}
