package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// delivery is what the Firehoses of all streams share.
type delivery struct {
	bucket           awss3.IBucket
	roleARN          *string
	logGroup, logged string
}

// newStreams declares a nested stack for each stream.
func newStreams(stack awscdk.Stack, d deployment, bucket awss3.IBucket, bridge awslambda.Function) {
	scope := constructs.NewConstruct(stack, jsii.String("Streams"))
	shared := newDelivery(stack, d.settings, bucket)
	nested := make(map[string]awscdk.NestedStack)
	names := d.streams.Names()
	for _, name := range names {
		s, _ := d.streams.Lookup(name)
		nested[name] = newStream(scope, d.settings, s, shared, bridge.FunctionArn())
	}
	for _, lane := range lanes(names) {
		for i := 1; i < len(lane); i++ {
			nested[lane[i]].NestedStackResource().AddResourceDependency(nested[lane[i-1]].NestedStackResource(), nil)
		}
	}
}

// newDelivery declares the role and the log of the Firehoses.
func newDelivery(stack awscdk.Stack, s settings, bucket awss3.IBucket) delivery {
	d := delivery{bucket: bucket, logGroup: "/" + s.name + "/firehose", logged: "errors"}
	logs := newLogGroup(stack, "FirehoseLogs", s, d.logGroup)
	awslogs.NewCfnLogStream(stack, jsii.String("FirehoseErrors"), &awslogs.CfnLogStreamProps{
		LogGroupName: logs.Ref(), LogStreamName: jsii.String(d.logged),
	})
	role := newRole(stack, "FirehoseRole", "firehose.amazonaws.com",
		map[string]any{"StringEquals": map[string]any{"sts:ExternalId": stack.Account()}},
		// https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3
		allow(on(bucket.BucketArn()), "s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"),
		allow(on(bucket.ArnForObjects(jsii.String("*/dt=*"))), "s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"),
		allow(on(logs.AttrArn()), "logs:PutLogEvents"),
	)
	d.roleARN = role.RoleArn()
	return d
}

// newStream declares all that one stream needs, in a stack of its own.
func newStream(scope constructs.Construct, d settings, s stream.Stream, shared delivery, bridgeARN *string) awscdk.NestedStack {
	nested := awscdk.NewNestedStack(scope, jsii.String(s.Name), &awscdk.NestedStackProps{
		Description: jsii.String("Data Sink " + d.name + ": stream " + s.Name),
	})
	tap := newTap(nested, d, s)
	firehose := newFirehose(nested, d, s, shared)
	newBridging(nested, s, tap, bridgeARN, shared.bucket.BucketArn()).AddResourceDependency(firehose, nil)
	newAlarms(nested, watched{settings: d, stream: s}, streamAlarms)
	return nested
}

// newTap declares the Kinesis stream. It survives its entry in streams.json,
// unless that was retired before: then nobody waits for its records any more.
func newTap(scope constructs.Construct, d settings, s stream.Stream) awskinesis.CfnStream {
	props := &awskinesis.CfnStreamProps{
		Name:                 jsii.String(stream.ResourceName(d.name, s.Name)),
		RetentionPeriodHours: jsii.Number(s.RetentionHours),
		StreamModeDetails:    &awskinesis.CfnStream_StreamModeDetailsProperty{StreamMode: jsii.String("PROVISIONED")},
		StreamEncryption:     &awskinesis.CfnStream_StreamEncryptionProperty{EncryptionType: jsii.String("KMS"), KeyId: jsii.String("alias/aws/kinesis")},
	}
	if s.Capacity == stream.OnDemand {
		props.StreamModeDetails = &awskinesis.CfnStream_StreamModeDetailsProperty{StreamMode: jsii.String("ON_DEMAND")}
	} else {
		props.ShardCount = jsii.Number(s.Shards)
	}
	policy := awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
	if s.Retired {
		policy = awscdk.RemovalPolicy_DESTROY
		// CloudFormation takes note of a new deletion policy only together
		// with another change of the resource.
		props.Tags = &[]*awscdk.CfnTag{{Key: jsii.String("datasink:retired"), Value: jsii.String("true")}}
	}
	tap := awskinesis.NewCfnStream(scope, jsii.String("Tap"), props)
	tap.ApplyRemovalPolicy(policy, nil)
	return tap
}

// newFirehose declares the way from the bridge into the archive.
func newFirehose(scope constructs.Construct, d settings, s stream.Stream, shared delivery) awskinesisfirehose.CfnDeliveryStream {
	compression := "UNCOMPRESSED"
	if s.Compression == stream.Gzip {
		compression = "GZIP"
	}
	const hour = "dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/"
	return awskinesisfirehose.NewCfnDeliveryStream(scope, jsii.String("Firehose"), &awskinesisfirehose.CfnDeliveryStreamProps{
		DeliveryStreamName: jsii.String(stream.ResourceName(d.name, s.Name)),
		DeliveryStreamType: jsii.String("DirectPut"),
		DeliveryStreamEncryptionConfigurationInput: &awskinesisfirehose.CfnDeliveryStream_DeliveryStreamEncryptionConfigurationInputProperty{
			KeyType: jsii.String("AWS_OWNED_CMK"),
		},
		ExtendedS3DestinationConfiguration: &awskinesisfirehose.CfnDeliveryStream_ExtendedS3DestinationConfigurationProperty{
			BucketArn:         shared.bucket.BucketArn(),
			RoleArn:           shared.roleARN,
			Prefix:            jsii.String(s.Name + "/" + hour),
			ErrorOutputPrefix: jsii.String("failed/firehose/" + s.Name + "/!{firehose:error-output-type}/" + hour),
			CompressionFormat: jsii.String(compression),
			BufferingHints: &awskinesisfirehose.CfnDeliveryStream_BufferingHintsProperty{
				IntervalInSeconds: jsii.Number(s.BufferSeconds), SizeInMBs: jsii.Number(s.BufferMiB),
			},
			CloudWatchLoggingOptions: &awskinesisfirehose.CfnDeliveryStream_CloudWatchLoggingOptionsProperty{
				Enabled: jsii.Bool(true), LogGroupName: jsii.String(shared.logGroup), LogStreamName: jsii.String(shared.logged),
			},
		},
	})
}

const (
	// bridgeRecords and bridgeWindow let slow streams pack too.
	bridgeRecords = 10_000
	bridgeWindow  = 5 // seconds
	// maxRecordAge is what Lambda allows at most: a week.
	maxRecordAge = 604_800
)

// newBridging declares how records of the Kinesis stream reach the bridge. An
// outage of Firehose is retried until an hour before Kinesis forgets: what is
// given up by then goes to the archive's bucket, under aws/lambda/.
func newBridging(scope constructs.Construct, s stream.Stream, tap awskinesis.CfnStream, bridgeARN, bucketARN *string) awslambda.CfnEventSourceMapping {
	return awslambda.NewCfnEventSourceMapping(scope, jsii.String("Bridging"), &awslambda.CfnEventSourceMappingProps{
		FunctionName:                   bridgeARN,
		EventSourceArn:                 tap.AttrArn(),
		StartingPosition:               jsii.String("TRIM_HORIZON"),
		BatchSize:                      jsii.Number(bridgeRecords),
		MaximumBatchingWindowInSeconds: jsii.Number(bridgeWindow),
		BisectBatchOnFunctionError:     jsii.Bool(true),
		FunctionResponseTypes:          jsii.Strings("ReportBatchItemFailures"),
		MaximumRecordAgeInSeconds:      jsii.Number(min((s.RetentionHours-1)*3600, maxRecordAge)),
		MaximumRetryAttempts:           jsii.Number(-1), // the age is the bound
		// One batch of a shard at a time: the shard's 1 MB/s is far less than
		// one execution moves.
		ParallelizationFactor: jsii.Number(1),
		DestinationConfig: &awslambda.CfnEventSourceMapping_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{Destination: bucketARN},
		},
	})
}
