package datasink

import (
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambdaeventsources"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/rig/readmetest"
)

// readTap lets a function read the tap of a stream with a throughput of its own. name is
// the name of the consumer.
func readTap(scope constructs.Construct, function awslambda.Function, name, streamARN string) {
	consumer := awskinesis.NewStreamConsumer(scope, jsii.String("Consumer"), &awskinesis.StreamConsumerProps{
		StreamConsumerName: &name,
		Stream:             awskinesis.Stream_FromStreamArn(scope, jsii.String("Stream"), &streamARN),
	})
	function.AddEventSource(awslambdaeventsources.NewKinesisConsumerEventSource(consumer, &awslambdaeventsources.KinesisEventSourceProps{
		StartingPosition:        awslambda.StartingPosition_TRIM_HORIZON,
		BatchSize:               jsii.Number(1000),
		MaxBatchingWindow:       awscdk.Duration_Seconds(jsii.Number(1)),
		ReportBatchItemFailures: jsii.Bool(true),
		BisectBatchOnError:      jsii.Bool(true),
		RetryAttempts:           jsii.Number(10),
		OnFailure:               awslambdaeventsources.NewS3OnFailureDestination(awss3.NewBucket(scope, jsii.String("Failed"), nil)),
	}))
}

// TestReadTapIsTheExampleOfTheREADME synthesizes the example for the CDK.
func TestReadTapIsTheExampleOfTheREADME(t *testing.T) {
	var template assertions.Template
	guard(t, func() {
		stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Stack"), nil)
		function := awslambda.NewFunction(stack, jsii.String("Function"), &awslambda.FunctionProps{
			Runtime: awslambda.Runtime_PYTHON_3_13(), Handler: jsii.String("index.handler"), Code: awslambda.Code_FromInline(jsii.String("def handler(event, context): pass")),
		})
		readTap(stack, function, "orders-audit", "arn:aws:kinesis:eu-west-1:123456789012:stream/datasink.orders")
		template = assertions.Template_FromStack(stack, nil)
		template.ResourceCountIs(jsii.String("AWS::Kinesis::StreamConsumer"), jsii.Number(1))
		template.HasResourceProperties(jsii.String("AWS::Lambda::EventSourceMapping"), map[string]any{
			"EventSourceArn": map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^Consumer")), "ConsumerARN"}}, "StartingPosition": "TRIM_HORIZON", "BatchSize": 1000,
			"FunctionResponseTypes": []any{"ReportBatchItemFailures"}, "MaximumRetryAttempts": 10, "DestinationConfig": map[string]any{"OnFailure": assertions.Match_AnyValue()},
		})
	})
	source, err := os.ReadFile("consumer_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(source), "\n// readTap ")
	code, _, _ = strings.Cut(code, "\n}\n")
	readmetest.Section(t, "../../internal/operate/tap/README.md", "consumer_test.go", "```go\n// readTap "+code+"\n}\n```\n", *update)
}
