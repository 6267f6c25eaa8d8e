//go:build e2e

package e2e_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/data-sink/data-sink/internal/rig/cloudtest"
)

// TestTheEmulatorsAgree runs the conformance suite of the project's own emulation
// against the third-party emulator.
func TestTheEmulatorsAgree(t *testing.T) {
	t.Parallel()
	e := startEmulator(t, newCertificate(t), "1")
	c := newCloud(e)
	ctx := t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const name, bucket = "conformance.orders", "conformance"
	must(c.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}))
	streams := kinesis.NewFromConfig(c.config)
	must(streams.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: aws.String(name), ShardCount: aws.Int32(2)}))
	must(firehose.NewFromConfig(c.config).CreateDeliveryStream(ctx, &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: aws.String(name),
		ExtendedS3DestinationConfiguration: &firehosetypes.ExtendedS3DestinationConfiguration{
			BucketARN: aws.String("arn:aws:s3:::" + bucket), RoleARN: aws.String("arn:aws:iam::" + account + ":role/any"),
			Prefix: aws.String("firehose/"), BufferingHints: &firehosetypes.BufferingHints{IntervalInSeconds: aws.Int32(900), SizeInMBs: aws.Int32(128)},
		},
	}))
	queue, err := c.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("conformance")})
	must(nil, err)
	must(c.secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String("conformance"), SecretString: aws.String("open sesame")}))
	await(t, started, "the stream to become active", func() error {
		out, err := streams.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(name)})
		if err == nil && out.StreamDescriptionSummary.StreamStatus != types.StreamStatusActive {
			err = fmt.Errorf("it is %s", out.StreamDescriptionSummary.StreamStatus)
		}
		return err
	})
	cloudtest.Run(t, cloudtest.NewByWire(c.config, bucket, *queue.QueueUrl), cloudtest.Resources{
		Stream: name, DeliveryStream: name, Secret: "conformance", SecretValue: "open sesame",
	}, cloudtest.EmulatorDiffers...)
}
