package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// logGroupName returns the name of the log group of a function.
func logGroupName(s settings.Settings, function string) string { return "/" + s.Name + "/" + function }

// newLogGroup declares a log group with the retention of the deployment. It is deleted
// with the stack; otherwise its name would block the next deploy.
func newLogGroup(scope constructs.Construct, id string, s settings.Settings, name string) awslogs.CfnLogGroup {
	group := awslogs.NewCfnLogGroup(scope, jsii.String(id), &awslogs.CfnLogGroupProps{
		LogGroupName: jsii.String(name), RetentionInDays: jsii.Number(s.LogRetentionDays),
	})
	group.ApplyRemovalPolicy(awscdk.RemovalPolicy_DESTROY, nil)
	return group
}
