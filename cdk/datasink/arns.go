package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// arn returns the ARN of a resource in the account and Region of the stack. Grants by
// name patterns stay small with any number of streams.
func arn(stack awscdk.Stack, service, resource, name string, format awscdk.ArnFormat) *string {
	return stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String(service), Resource: jsii.String(resource), ResourceName: jsii.String(name), ArnFormat: format,
	})
}

// secretARN returns the pattern of the ARN of a secret, which ends with six random
// characters.
func secretARN(stack awscdk.Stack, name string) *string {
	return arn(stack, "secretsmanager", "secret", name+"-??????", awscdk.ArnFormat_COLON_RESOURCE_NAME)
}

// streamsARN returns the pattern of the Kinesis streams of this deployment only.
func streamsARN(stack awscdk.Stack, s settings.Settings) *string {
	return arn(stack, "kinesis", "stream", s.Name+".*", awscdk.ArnFormat_SLASH_RESOURCE_NAME)
}

// firehosesARN returns the pattern of the Firehoses of this deployment only.
func firehosesARN(stack awscdk.Stack, s settings.Settings) *string {
	return arn(stack, "firehose", "deliverystream", s.Name+".*", awscdk.ArnFormat_SLASH_RESOURCE_NAME)
}

// firehoseARN returns the ARN of the Firehose of a stream.
func firehoseARN(stack awscdk.Stack, deployment, name string) *string {
	return arn(stack, "firehose", "deliverystream", stream.ResourceName(deployment, name), awscdk.ArnFormat_SLASH_RESOURCE_NAME)
}

// logGroupARNs returns the two ARNs of a log group. The IAM reference names the group
// without the asterisk; services check the ARN with it, which includes the log streams.
func logGroupARNs(stack awscdk.Stack, name string) []*string {
	group := func(name string) *string {
		return arn(stack, "logs", "log-group", name, awscdk.ArnFormat_COLON_RESOURCE_NAME)
	}
	return on(group(name), group(name+":*"))
}

// joined returns the concatenation of texts, which may be tokens.
func joined(texts ...*string) *string { return awscdk.Fn_Join(jsii.String(""), &texts) }

func functionName(s settings.Settings, function string) string { return s.Name + "-" + function }

func functionARN(stack awscdk.Stack, s settings.Settings, function string) *string {
	return arn(stack, "lambda", "function", functionName(s, function), awscdk.ArnFormat_COLON_RESOURCE_NAME)
}
