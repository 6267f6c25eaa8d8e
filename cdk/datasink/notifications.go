package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// announced are the objects that have notifications, by the IDs of their rules. The name
// of a stream never begins with an underscore.
var announced = []struct {
	id, means string
	keys      any
}{
	{"ObjectsRule", "new objects of streams", map[string]any{"anything-but": map[string]any{"prefix": []string{"failed/", "aws/", "_"}}}},
	{"ManifestsRule", "new manifests", map[string]any{"prefix": manifests}},
}

// newObjectsTopic declares a topic with a notification of each new object of a stream and
// of each manifest, in the form of EventBridge. Only the two rules may publish.
func newObjectsTopic(stack awscdk.Stack, s settings.Settings, bucket awss3.Bucket) awssns.CfnTopic {
	// The property of the L2 construct would add a custom resource with a function, which
	// replaces all notifications of the bucket.
	bucket.Node().DefaultChild().(awss3.CfnBucket).AddPropertyOverride(
		jsii.String("NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled"), true)

	topic := awssns.NewCfnTopic(stack, jsii.String("Objects"), &awssns.CfnTopicProps{TopicName: jsii.String(s.Name + "-objects")})
	var rules []*string
	for _, a := range announced {
		rule := awsevents.NewCfnRule(stack, jsii.String(a.id), &awsevents.CfnRuleProps{
			Description: jsii.String("Data Sink " + s.Name + ": " + a.means),
			EventPattern: map[string]any{
				"source": []string{"aws.s3"}, "detail-type": []string{"Object Created"},
				"detail": map[string]any{"bucket": map[string]any{"name": []*string{bucket.BucketName()}}, "object": map[string]any{"key": []any{a.keys}}},
			},
			Targets: []*awsevents.CfnRule_TargetProperty{{Arn: topic.Ref(), Id: jsii.String("topic")}},
		})
		rules = append(rules, rule.AttrArn())
	}
	publish := allow(on(topic.Ref()), "sns:Publish")
	publish.AddPrincipals(awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil))
	publish.AddCondition(jsii.String("ArnEquals"), map[string]any{"aws:SourceArn": rules})
	publish.AddCondition(jsii.String("StringEquals"), map[string]any{"aws:SourceAccount": stack.Account()})
	awssns.NewCfnTopicPolicy(stack, jsii.String("ObjectsPolicy"), &awssns.CfnTopicPolicyProps{
		Topics:         &[]*string{topic.Ref()},
		PolicyDocument: awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &[]awsiam.PolicyStatement{publish}}),
	})
	return topic
}
