package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// allow returns a statement that allows actions on resources.
func allow(resources []*string, actions ...string) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Actions: jsii.Strings(actions...), Resources: &resources})
}

// deny returns a statement that denies actions on resources, whatever else is allowed.
func deny(resources []*string, actions ...string) awsiam.PolicyStatement {
	statement := allow(resources, actions...)
	statement.SetEffect(awsiam.Effect_DENY)
	return statement
}

// on returns the resources of a statement.
func on(resources ...*string) []*string { return resources }

// newRole declares a role that a service may assume under conditions. Its policy is part
// of the role, so that a resource that depends on the role also waits for the policy.
func newRole(scope constructs.Construct, id, service string, conditions map[string]any, statements ...awsiam.PolicyStatement) awsiam.IRole {
	var principal awsiam.IPrincipal = awsiam.NewServicePrincipal(jsii.String(service), nil)
	if conditions != nil {
		principal = awsiam.NewPrincipalWithConditions(principal, &conditions)
	}
	role := awsiam.NewRole(scope, jsii.String(id), &awsiam.RoleProps{
		AssumedBy: principal,
		InlinePolicies: &map[string]awsiam.PolicyDocument{
			"policy": awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &statements}),
		},
	})
	return role.WithoutPolicyUpdates(nil)
}

// inVPC returns the permissions that Lambda needs for a function in a VPC. The actions do
// not support resources, so they are denied to the code of the function.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
func inVPC(stack awscdk.Stack, s settings.Settings, function string) []awsiam.PolicyStatement {
	actions := []string{
		"ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces",
		"ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
	}
	byCode := deny(on(jsii.String("*")), actions...)
	byCode.AddCondition(jsii.String("ArnEquals"), map[string]any{"lambda:SourceFunctionArn": functionARN(stack, s, function)})
	return []awsiam.PolicyStatement{allow(on(jsii.String("*")), actions...), byCode}
}

// traced returns the permissions for X-Ray, which do not support resources.
func traced() awsiam.PolicyStatement {
	return allow(on(jsii.String("*")), "xray:PutTelemetryRecords", "xray:PutTraceSegments")
}
