package datasink

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/env"
)

const (
	// verifierSeconds is the longest timeout that Lambda allows.
	verifierSeconds = 900
	// verifierMemory, in MB, has room for the objects of four streams, 128 MiB each,
	// and for the lines of the bridge's log. New accounts cannot have more.
	verifierMemory = 3008
)

// newVerifier declares the function that verifies the archive, and its schedule. A
// schedule with a rate starts at once, so that the alarm for missing verifications has
// data soon after the first deploy. The scheduled time decides on the hours that a run
// verifies, so each run begins where the last one ended.
func newVerifier(stack awscdk.Stack, d deployment, r resources, drainer awslambda.Function) (awslambda.Function, awscdk.CfnResource) {
	values := values(d, r)
	values[env.DrainerFunction] = drainer.FunctionName()
	read := map[string]string{env.DrainerLog: "drainer", env.IngestLog: "ingest"}
	if d.hasTaps() {
		read[env.BridgeLog] = bridgeFunction
	}
	var logs []*string
	for _, variable := range slices.Sorted(maps.Keys(read)) {
		name := logGroupName(d.Settings, read[variable])
		values[variable] = jsii.String(name)
		logs = append(logs, logGroupARNs(stack, name)...)
	}
	values[env.VerifyEvery] = jsii.String((time.Duration(d.VerifyHours) * time.Hour).String())
	fn := newFunction(stack, d, nil, function{
		id: "Verifier", name: verifierFunction, reads: env.Settings(env.ParseVerifier),
		seconds: verifierSeconds, memory: verifierMemory,
		may: []awsiam.PolicyStatement{
			allow(on(drainer.FunctionArn()), "lambda:InvokeFunction"),
			allow(logs, "logs:FilterLogEvents"),
			allow(on(r.bucket.BucketArn()), "s3:ListBucket"),
			allow(on(r.objects("*/dt=*")), "s3:GetObject"),
			allow(on(r.objects(manifests+"*")), "s3:PutObject"),
		},
		more: awslambda.FunctionProps{
			Description: jsii.String("Data Sink: verifies that the archive has what was sent to it"),
			// A failed run raises an alarm; a retry that succeeds would hide it.
			RetryAttempts: jsii.Number(0), MaxEventAge: awscdk.Duration_Hours(jsii.Number(1)),
		},
	}, values)

	every := fmt.Sprintf("%d hours", d.VerifyHours)
	if d.VerifyHours == 1 {
		every = "1 hour"
	}
	return fn, newSchedule(stack, d.Settings, schedule{
		id: "Verify", means: "the verifier verifies the archive", every: every, retries: 10, seconds: 3600,
		// A late run verifies the hours for which it was scheduled.
		input: `{"scheduledAt":"<aws.scheduler.scheduled-time>"}`,
	}, fn)
}
