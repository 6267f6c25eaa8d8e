package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// arn is the ARN of a resource of the stack's account and Region, by its name:
// grants that follow from names stay small however many streams there are.
func arn(stack awscdk.Stack, service, resource, name string, format awscdk.ArnFormat) *string {
	return stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String(service), Resource: jsii.String(resource), ResourceName: jsii.String(name), ArnFormat: format,
	})
}

// secretARN is the pattern of a secret's ARN, which ends in six characters that
// nobody chooses.
func secretARN(stack awscdk.Stack, name string) *string {
	return arn(stack, "secretsmanager", "secret", name+"-??????", awscdk.ArnFormat_COLON_RESOURCE_NAME)
}

// streamsARN matches the Kinesis streams of the deployment and of no other.
func streamsARN(stack awscdk.Stack, s settings.Settings) *string {
	return arn(stack, "kinesis", "stream", s.Name+".*", awscdk.ArnFormat_SLASH_RESOURCE_NAME)
}

// firehosesARN matches the Firehoses of the deployment and of no other.
func firehosesARN(stack awscdk.Stack, s settings.Settings) *string {
	return arn(stack, "firehose", "deliverystream", s.Name+".*", awscdk.ArnFormat_SLASH_RESOURCE_NAME)
}

// logGroupARNs are the ARNs of one log group: IAM's reference names it without
// the asterisk, which stands for its log streams and is what services ask about.
func logGroupARNs(stack awscdk.Stack, name string) []*string {
	group := func(name string) *string {
		return arn(stack, "logs", "log-group", name, awscdk.ArnFormat_COLON_RESOURCE_NAME)
	}
	return on(group(name), group(name+":*"))
}

// joined is texts, known or not, one after the other.
func joined(texts ...*string) *string { return awscdk.Fn_Join(jsii.String(""), &texts) }

func functionName(s settings.Settings, function string) string { return s.Name + "-" + function }

func functionARN(stack awscdk.Stack, s settings.Settings, function string) *string {
	return arn(stack, "lambda", "function", functionName(s, function), awscdk.ArnFormat_COLON_RESOURCE_NAME)
}
