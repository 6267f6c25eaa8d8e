package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/env"
)

// ingestSeconds is less than the 30 s after which API Gateway stops waiting.
const ingestSeconds = 10

// newIngest declares the function that accepts records.
func newIngest(stack awscdk.Stack, d deployment, r resources) awslambda.Function {
	secrets := on(secretARN(stack, clientsSecretName(d.Settings)))
	if r.redis.secretGrant != nil {
		secrets = append(secrets, r.redis.secretGrant)
	}
	return newFunction(stack, d, r.network, function{
		id: "Ingest", name: "ingest", reads: env.Settings(env.ParseIngest),
		seconds: ingestSeconds, memory: d.IngestMemory, concurrency: d.IngestConcurrency,
		// Log lines for the start and the end of each request would cost more than
		// the request.
		quiet: true,
		may: []awsiam.PolicyStatement{
			allow(secrets, "secretsmanager:GetSecretValue"),
			allow(on(r.queue.QueueArn()), "sqs:SendMessage"),
			allow(on(r.objects("*/dt=*")), "s3:PutObject"),
			// The pattern above also matches folders that are not of a stream.
			deny(on(r.objects("failed/*"), r.objects("aws/*"), r.objects("_*")), "s3:PutObject"),
			// GET /health checks that the archive exists.
			allow(on(r.bucket.BucketArn()), "s3:ListBucket"),
		},
		more: awslambda.FunctionProps{Description: jsii.String("Data Sink: from HTTP into the queue")},
	}, values(d, r))
}
