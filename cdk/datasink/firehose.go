package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// destination is what the streams share: the bucket, the role that writes to it, and the
// log of failed writes.
type destination struct {
	bucket              awss3.IBucket
	roleARN             *string
	logGroup, logStream string
	// database is the name of the database of the tables; nil for none.
	database *string
}

// newDestination declares the role and the log of the Firehoses.
func newDestination(stack awscdk.Stack, s settings.Settings, bucket awss3.IBucket) destination {
	d := destination{bucket: bucket, logGroup: "/" + s.Name + "/firehose", logStream: "errors"}
	logs := newLogGroup(stack, "FirehoseLogs", s, d.logGroup)
	awslogs.NewCfnLogStream(stack, jsii.String("FirehoseErrors"), &awslogs.CfnLogStreamProps{
		LogGroupName: logs.Ref(), LogStreamName: jsii.String(d.logStream),
	})
	role := newRole(stack, "FirehoseRole", "firehose.amazonaws.com",
		map[string]any{"StringEquals": map[string]any{"sts:ExternalId": stack.Account()}},
		// https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3
		allow(on(bucket.BucketArn()), "s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"),
		allow(on(bucket.ArnForObjects(jsii.String("*/dt=*"))), "s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"),
		// The pattern above also matches the dead letters of others.
		deny(on(
			bucket.ArnForObjects(jsii.String("failed/drainer/*")), bucket.ArnForObjects(jsii.String("failed/bridge/*")),
			bucket.ArnForObjects(jsii.String("aws/*")), bucket.ArnForObjects(jsii.String("_*")),
		), "s3:PutObject"),
		allow(on(logs.AttrArn()), "logs:PutLogEvents"),
	)
	d.roleARN = role.RoleArn()
	return d
}

// newFirehose declares the Firehose of a stream, which writes to the archive.
func newFirehose(scope constructs.Construct, d settings.Settings, s stream.Stream, to destination) awskinesisfirehose.CfnDeliveryStream {
	compression := "UNCOMPRESSED"
	if s.Compression == stream.Gzip {
		compression = "GZIP"
	}
	var extension *string
	if s.Extension != "" {
		extension = jsii.String(s.Extension)
	}
	const hour = "dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/"
	return awskinesisfirehose.NewCfnDeliveryStream(scope, jsii.String("Firehose"), &awskinesisfirehose.CfnDeliveryStreamProps{
		DeliveryStreamName: jsii.String(stream.ResourceName(d.Name, s.Name)),
		DeliveryStreamType: jsii.String("DirectPut"),
		DeliveryStreamEncryptionConfigurationInput: &awskinesisfirehose.CfnDeliveryStream_DeliveryStreamEncryptionConfigurationInputProperty{
			KeyType: jsii.String("AWS_OWNED_CMK"),
		},
		ExtendedS3DestinationConfiguration: &awskinesisfirehose.CfnDeliveryStream_ExtendedS3DestinationConfigurationProperty{
			BucketArn:         to.bucket.BucketArn(),
			RoleArn:           to.roleARN,
			Prefix:            jsii.String(s.Name + "/" + hour),
			ErrorOutputPrefix: jsii.String("failed/firehose/" + s.Name + "/!{firehose:error-output-type}/" + hour),
			CompressionFormat: jsii.String(compression),
			FileExtension:     extension,
			BufferingHints: &awskinesisfirehose.CfnDeliveryStream_BufferingHintsProperty{
				IntervalInSeconds: jsii.Number(s.BufferSeconds), SizeInMBs: jsii.Number(s.BufferMiB),
			},
			CloudWatchLoggingOptions: &awskinesisfirehose.CfnDeliveryStream_CloudWatchLoggingOptionsProperty{
				Enabled: jsii.Bool(true), LogGroupName: jsii.String(to.logGroup), LogStreamName: jsii.String(to.logStream),
			},
		},
	})
}
