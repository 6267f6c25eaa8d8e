package datasink

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// endpointIDs are the construct IDs of the interface endpoints by their services.
var endpointIDs = map[string]string{"sqs": "Sqs", "kinesis-streams": "Kinesis", "kinesis-firehose": "Firehose", "secretsmanager": "SecretsManager"}

// newEndpoints declares the interface endpoints of the services, in every zone or in one.
func newEndpoints(stack awscdk.Stack, scope constructs.Construct, s settings.Settings, n *network, vpc awsec2.Vpc, services []string) {
	id := securityGroup(scope, "EndpointsGroup", vpc, "Data Sink: endpoints of AWS services",
		[]*awsec2.CfnSecurityGroup_IngressProperty{{
			IpProtocol: jsii.String("tcp"), FromPort: jsii.Number(httpsPort), ToPort: jsii.Number(httpsPort),
			SourceSecurityGroupId: n.functions, Description: jsii.String("ingest and the drainer"),
		}}, nil)
	group := awsec2.SecurityGroup_FromSecurityGroupId(scope, jsii.String("Endpoints"), id, nil)
	subnets := *n.subnets.Subnets
	if s.Egress == settings.EgressEndpoint {
		subnets = subnets[:1]
	}
	for _, service := range services {
		endpoint := vpc.AddInterfaceEndpoint(jsii.String(endpointIDs[service]), &awsec2.InterfaceVpcEndpointOptions{
			Service: awsec2.NewInterfaceVpcEndpointAwsService(jsii.String(service), nil, nil, nil),
			Open:    jsii.Bool(false), SecurityGroups: &[]awsec2.ISecurityGroup{group}, Subnets: &awsec2.SubnetSelection{Subnets: &subnets},
		})
		endpoint.AddToPolicy(ownAccount(stack))
		n.ways = append(n.ways, endpoint)
	}
}

// ownAccount returns the policy of the endpoints. It allows only callers and resources of
// this account, so that nobody can use an endpoint to send data to another account.
func ownAccount(stack awscdk.Stack) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()}, Actions: jsii.Strings("*"), Resources: jsii.Strings("*"),
		Conditions: &map[string]any{"StringEquals": map[string]any{
			"aws:PrincipalAccount": stack.Account(), "aws:ResourceAccount": stack.Account(),
		}},
	})
}

// newIPv6Routes declares a route from each subnet to the egress-only internet gateway.
// The CDK declares the gateway of a dual-stack VPC but, for isolated subnets, no route.
func newIPv6Routes(scope constructs.Construct, vpc awsec2.Vpc, subnets *awsec2.SelectedSubnets) []constructs.IDependable {
	gateway := vpc.Node().FindChild(jsii.String("EIGW6")).(awsec2.CfnEgressOnlyInternetGateway)
	var routes []constructs.IDependable
	for i, subnet := range *subnets.Subnets {
		routes = append(routes, awsec2.NewCfnRoute(scope, jsii.String(fmt.Sprintf("Ipv6Route%d", i+1)), &awsec2.CfnRouteProps{
			RouteTableId:                subnet.RouteTable().RouteTableId(),
			DestinationIpv6CidrBlock:    jsii.String(anywhereIPv6),
			EgressOnlyInternetGatewayId: gateway.AttrId(),
		}))
	}
	return routes
}
