package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/env"
)

const bridgeSeconds = 60

// newBridge declares the function that moves records from Kinesis to Firehose. It is
// in no VPC.
func newBridge(stack awscdk.Stack, d deployment, r resources) awslambda.Function {
	return newFunction(stack, d, nil, function{
		id: "Bridge", name: "bridge", reads: env.Settings(env.ParseBridge),
		seconds: bridgeSeconds, memory: d.BridgeMemory,
		may: []awsiam.PolicyStatement{
			allow(on(streamsARN(stack, d.Settings)), "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"),
			allow(on(firehosesARN(stack, d.Settings)), "firehose:PutRecordBatch"),
			// Lambda uses this role to write the batches that the mapping gives up
			// to aws/lambda/.
			allow(on(r.objects("failed/bridge/*"), r.objects("aws/lambda/*")), "s3:PutObject"),
			allow(on(r.bucket.BucketArn()), "s3:ListBucket"),
		},
		more: awslambda.FunctionProps{Description: jsii.String("Data Sink: from Kinesis to Firehose")},
	}, values(d, r))
}
