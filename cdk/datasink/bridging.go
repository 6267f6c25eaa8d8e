package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// maxRecordAge is the largest MaximumRecordAgeInSeconds that Lambda accepts: a week.
const maxRecordAge = 604_800

// newBridging declares the event source mapping from the tap of a stream to the
// bridge. The mapping retries until an hour before Kinesis deletes the records, so
// that an outage of Firehose makes no dead letters. Lambda writes the batches that it
// gives up to the archive, under aws/lambda/.
func newBridging(scope constructs.Construct, s stream.Stream, tap awskinesis.CfnStream, bridgeARN, bucketARN *string) awslambda.CfnEventSourceMapping {
	return awslambda.NewCfnEventSourceMapping(scope, jsii.String("Bridging"), &awslambda.CfnEventSourceMappingProps{
		FunctionName:     bridgeARN,
		EventSourceArn:   tap.AttrArn(),
		StartingPosition: jsii.String("TRIM_HORIZON"),
		// The window lets the bridge pack the records of slow streams too.
		BatchSize:                      jsii.Number(settings.BridgeRecords),
		MaximumBatchingWindowInSeconds: jsii.Number(settings.BridgeWindow),
		BisectBatchOnFunctionError:     jsii.Bool(true),
		FunctionResponseTypes:          jsii.Strings("ReportBatchItemFailures"),
		MaximumRecordAgeInSeconds:      jsii.Number(min((s.RetentionHours-1)*3600, maxRecordAge)),
		MaximumRetryAttempts:           jsii.Number(-1), // bounded by the age
		// One execution moves far more than the 1 MB/s of a shard.
		ParallelizationFactor: jsii.Number(settings.BridgeParallelization),
		DestinationConfig: &awslambda.CfnEventSourceMapping_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{Destination: bucketARN},
		},
	})
}
