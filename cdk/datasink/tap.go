package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// newTap declares the Kinesis stream of a stream. It is retained when the entry is
// deleted from streams.json or when the tap is set to false, unless the stream was retired
// or its tap was ending before: then nothing has put records to it since that deploy.
func newTap(scope constructs.Construct, d settings.Settings, s stream.Stream) awskinesis.CfnStream {
	props := &awskinesis.CfnStreamProps{
		Name:                 jsii.String(stream.ResourceName(d.Name, s.Name)),
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
	// CloudFormation ignores a changed deletion policy unless another property of the
	// resource changes with it.
	tag := ""
	switch {
	case s.Retired:
		tag = "datasink:retired"
	case !s.FeedsTap():
		tag = "datasink:ending"
	}
	if tag != "" {
		policy = awscdk.RemovalPolicy_DESTROY
		props.Tags = &[]*awscdk.CfnTag{{Key: jsii.String(tag), Value: jsii.String("true")}}
	}
	tap := awskinesis.NewCfnStream(scope, jsii.String("Tap"), props)
	tap.ApplyRemovalPolicy(policy, nil)
	return tap
}
