package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// logGroupName is the name of a function's log group.
func logGroupName(s settings.Settings, function string) string { return "/" + s.Name + "/" + function }

// newLogGroup declares a log group with the deployment's retention. It goes
// with the stack, or its name would be taken when the stack comes back.
func newLogGroup(scope constructs.Construct, id string, s settings.Settings, name string) awslogs.CfnLogGroup {
	group := awslogs.NewCfnLogGroup(scope, jsii.String(id), &awslogs.CfnLogGroupProps{
		LogGroupName: jsii.String(name), RetentionInDays: jsii.Number(s.LogRetentionDays),
	})
	group.ApplyRemovalPolicy(awscdk.RemovalPolicy_DESTROY, nil)
	return group
}
