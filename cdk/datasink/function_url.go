package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// newFunctionURL declares the function URL of ingest and returns it without the slash at
// its end. Ingest checks Basic Auth itself, so everybody may invoke it through the URL.
func newFunctionURL(stack awscdk.Stack, s settings.Settings, ingest awslambda.Function) *string {
	scope := constructs.NewConstruct(stack, jsii.String("FunctionUrl"))
	props := &awslambda.CfnUrlProps{
		AuthType: jsii.String("NONE"), TargetFunctionArn: ingest.FunctionArn(), InvokeMode: jsii.String("BUFFERED"),
	}
	if origins := s.Origins(); origins != nil {
		props.Cors = &awslambda.CfnUrl_CorsProperty{
			AllowOrigins: jsii.Strings(origins...), AllowMethods: jsii.Strings(corsMethods...), AllowHeaders: jsii.Strings(corsAllow...),
			ExposeHeaders: jsii.Strings(corsExpose...), MaxAge: jsii.Number(corsSeconds), AllowCredentials: jsii.Bool(false),
		}
	}
	url := awslambda.NewCfnUrl(scope, jsii.String("Url"), props)
	// Lambda checks both permissions. With only one of them it answers 403.
	// https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
	awslambda.NewCfnPermission(scope, jsii.String("MayCallUrl"), &awslambda.CfnPermissionProps{
		Action: jsii.String("lambda:InvokeFunctionUrl"), FunctionName: ingest.FunctionArn(), Principal: jsii.String("*"),
		FunctionUrlAuthType: jsii.String("NONE"),
	})
	awslambda.NewCfnPermission(scope, jsii.String("MayInvokeByUrl"), &awslambda.CfnPermissionProps{
		Action: jsii.String("lambda:InvokeFunction"), FunctionName: ingest.FunctionArn(), Principal: jsii.String("*"),
		InvokedViaFunctionUrl: jsii.Bool(true),
	})
	host := awscdk.Fn_Select(jsii.Number(2), awscdk.Fn_Split(jsii.String("/"), url.AttrFunctionUrl(), nil))
	return joined(jsii.String("https://"), host)
}
