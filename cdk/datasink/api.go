package datasink

import (
	"encoding/json"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// routes are the routes of the API to ingest.
var routes = []struct{ id, key string }{
	// The greedy variable also matches a slash at the end and /batch. Ingest tells them
	// apart by the value of the variable.
	{"Post", "POST /archives/{stream+}"},
	{"Health", "GET /health"},
}

// accessLog has the fields of a line of the access log. Headers contain credentials, and
// clients choose the query and the path, so none of them is logged.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
var accessLog = map[string]string{
	"requestId":          "$context.requestId",
	"time":               "$context.requestTimeEpoch",
	"ip":                 "$context.identity.sourceIp",
	"method":             "$context.httpMethod",
	"route":              "$context.routeKey",
	"status":             "$context.status",
	"responseBytes":      "$context.responseLength",
	"latencyMs":          "$context.responseLatency",
	"integrationMs":      "$context.integrationLatency",
	"integrationStatus":  "$context.integrationStatus",
	"integrationError":   "$context.integrationErrorMessage",
	"gatewayError":       "$context.error.message",
	"gatewayErrorReason": "$context.error.responseType",
}

// apiStage is the name of the stage that has no segment in the path.
const apiStage = "$default"

// newAPI declares the HTTP API that invokes ingest, and returns its URL and its ID.
func newAPI(stack awscdk.Stack, s settings.Settings, ingest awslambda.Function) (url, id *string) {
	scope := constructs.NewConstruct(stack, jsii.String("Api"))
	props := &awsapigatewayv2.CfnApiProps{
		Name: jsii.String(s.Name), Description: jsii.String("Data Sink: accepts records"), ProtocolType: jsii.String("HTTP"),
		// A custom domain replaces the default endpoint.
		DisableExecuteApiEndpoint: jsii.Bool(s.DomainName != ""),
	}
	if origins := s.Origins(); origins != nil {
		props.CorsConfiguration = &awsapigatewayv2.CfnApi_CorsProperty{
			AllowOrigins: jsii.Strings(origins...), AllowMethods: jsii.Strings(corsMethods...), AllowHeaders: jsii.Strings(corsAllow...),
			ExposeHeaders: jsii.Strings(corsExpose...), MaxAge: jsii.Number(corsSeconds), AllowCredentials: jsii.Bool(false),
		}
	}
	api := awsapigatewayv2.NewCfnApi(scope, jsii.String("Http"), props)
	integration := awsapigatewayv2.NewCfnIntegration(scope, jsii.String("Ingest"), &awsapigatewayv2.CfnIntegrationProps{
		ApiId:                api.Ref(),
		IntegrationType:      jsii.String("AWS_PROXY"),
		IntegrationUri:       ingest.FunctionArn(),
		PayloadFormatVersion: jsii.String("2.0"),
	})
	for _, r := range routes {
		awsapigatewayv2.NewCfnRoute(scope, jsii.String(r.id), &awsapigatewayv2.CfnRouteProps{
			ApiId:    api.Ref(),
			RouteKey: jsii.String(r.key),
			// Ingest checks Basic Auth itself. A Lambda authorizer would cost a second
			// invocation for each record.
			AuthorizationType: jsii.String("NONE"),
			Target:            awscdk.Fn_Join(jsii.String("/"), &[]*string{jsii.String("integrations"), integration.Ref()}),
		})
	}
	format, err := json.Marshal(accessLog)
	if err != nil {
		panic(err)
	}
	// Log groups with this prefix need no resource policy of their own.
	logs := newLogGroup(scope, "AccessLogs", s, "/aws/vendedlogs/"+s.Name+"/api")
	stage := awsapigatewayv2.NewCfnStage(scope, jsii.String("Stage"), &awsapigatewayv2.CfnStageProps{
		ApiId:      api.Ref(),
		StageName:  jsii.String(apiStage),
		AutoDeploy: jsii.Bool(true),
		DefaultRouteSettings: &awsapigatewayv2.CfnStage_RouteSettingsProperty{
			ThrottlingRateLimit: jsii.Number(s.ThrottleRate), ThrottlingBurstLimit: jsii.Number(s.ThrottleBurst),
		},
		AccessLogSettings: &awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
			DestinationArn: awscdk.Fn_Select(jsii.Number(0), awscdk.Fn_Split(jsii.String(":*"), logs.AttrArn(), nil)),
			Format:         jsii.String(string(format)),
		},
	})
	awslambda.NewCfnPermission(scope, jsii.String("MayInvokeIngest"), &awslambda.CfnPermissionProps{
		Action:       jsii.String("lambda:InvokeFunction"),
		FunctionName: ingest.FunctionArn(),
		Principal:    jsii.String("apigateway.amazonaws.com"),
		SourceArn: stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("execute-api"), Resource: api.Ref(), ResourceName: jsii.String("*"), ArnFormat: awscdk.ArnFormat_SLASH_RESOURCE_NAME,
		}),
	})
	if s.DomainName == "" {
		return api.AttrApiEndpoint(), api.Ref()
	}
	domain := awsapigatewayv2.NewCfnDomainName(scope, jsii.String("Domain"), &awsapigatewayv2.CfnDomainNameProps{
		DomainName: jsii.String(s.DomainName),
		DomainNameConfigurations: []*awsapigatewayv2.CfnDomainName_DomainNameConfigurationProperty{{
			CertificateArn: jsii.String(s.CertificateARN), EndpointType: jsii.String("REGIONAL"), SecurityPolicy: jsii.String("TLS_1_2"),
		}},
	})
	awsapigatewayv2.NewCfnApiMapping(scope, jsii.String("DomainMapping"), &awsapigatewayv2.CfnApiMappingProps{
		ApiId: api.Ref(), DomainName: domain.Ref(), Stage: stage.Ref(),
	})
	awscdk.NewCfnOutput(stack, jsii.String("ApiDomainTarget"), &awscdk.CfnOutputProps{
		Value: domain.AttrRegionalDomainName(), Description: jsii.String("Target of the DNS record of " + s.DomainName),
	})
	return jsii.String("https://" + s.DomainName), api.Ref()
}
