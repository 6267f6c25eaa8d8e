package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// network is the network in which ingest and the drainer run.
type network struct {
	vpc     awsec2.IVpc
	subnets *awsec2.SelectedSubnets
	// functions is the ID of the security group of ingest and the drainer.
	functions *string
}

const (
	vpcCIDR   = "10.0.0.0/16"
	anywhere  = "0.0.0.0/0"
	httpsPort = 443
)

// newNetwork declares a VPC without a route to the internet, or looks up the VPC of the
// setting vpcId.
func newNetwork(scope constructs.Construct, s settings.Settings) *network {
	scope = constructs.NewConstruct(scope, jsii.String("Network"))
	if s.VPCID != "" {
		vpc := awsec2.Vpc_FromLookup(scope, jsii.String("Vpc"), &awsec2.VpcLookupOptions{VpcId: jsii.String(s.VPCID)})
		return &network{vpc: vpc, subnets: privateSubnets(scope, vpc), functions: functionsGroup(scope, vpc, redisPort(s), anywhere)}
	}
	vpc := awsec2.NewVpc(scope, jsii.String("Vpc"), &awsec2.VpcProps{
		IpAddresses: awsec2.IpAddresses_Cidr(jsii.String(vpcCIDR)),
		MaxAzs:      jsii.Number(2),
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{{
			Name: jsii.String("isolated"), SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED, CidrMask: jsii.Number(20),
		}},
		// Nothing uses the default security group. Removing its rules would need a custom
		// resource.
		RestrictDefaultSecurityGroup: jsii.Bool(false),
	})
	isolated := &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED}
	n := &network{
		vpc: vpc, subnets: vpc.SelectSubnets(isolated),
		functions: functionsGroup(scope, vpc, redisPort(s), vpcCIDR),
	}
	vpc.AddGatewayEndpoint(jsii.String("S3"), &awsec2.GatewayVpcEndpointOptions{
		Service: awsec2.GatewayVpcEndpointAwsService_S3(), Subnets: &[]*awsec2.SubnetSelection{isolated},
	})
	endpoints := securityGroup(scope, "EndpointsGroup", vpc, "Data Sink: endpoints of AWS services",
		[]*awsec2.CfnSecurityGroup_IngressProperty{{
			IpProtocol: jsii.String("tcp"), FromPort: jsii.Number(httpsPort), ToPort: jsii.Number(httpsPort),
			SourceSecurityGroupId: n.functions, Description: jsii.String("ingest and the drainer"),
		}}, nil)
	group := awsec2.SecurityGroup_FromSecurityGroupId(scope, jsii.String("Endpoints"), endpoints, nil)
	for _, e := range []struct {
		id      string
		service awsec2.IInterfaceVpcEndpointService
	}{
		{"Sqs", awsec2.InterfaceVpcEndpointAwsService_SQS()},
		{"Kinesis", awsec2.InterfaceVpcEndpointAwsService_KINESIS_STREAMS()},
		{"SecretsManager", awsec2.InterfaceVpcEndpointAwsService_SECRETS_MANAGER()},
	} {
		vpc.AddInterfaceEndpoint(jsii.String(e.id), &awsec2.InterfaceVpcEndpointOptions{
			Service: e.service, Open: jsii.Bool(false), SecurityGroups: &[]awsec2.ISecurityGroup{group}, Subnets: isolated,
		})
	}
	return n
}

// privateSubnets returns the private subnets with NAT, or else those without. A VPC with
// NAT need not have endpoints in the other subnets.
func privateSubnets(scope constructs.Construct, vpc awsec2.IVpc) *awsec2.SelectedSubnets {
	kind := awsec2.SubnetType_PRIVATE_WITH_EGRESS
	if len(*vpc.PrivateSubnets()) == 0 {
		kind = awsec2.SubnetType_PRIVATE_ISOLATED
		if len(*vpc.IsolatedSubnets()) == 0 {
			awscdk.Annotations_Of(scope).AddError(jsii.String("vpcId: this VPC has no private subnets"))
			return &awsec2.SelectedSubnets{Subnets: &[]awsec2.ISubnet{}, SubnetIds: &[]*string{}}
		}
	}
	return vpc.SelectSubnets(&awsec2.SubnetSelection{SubnetType: kind})
}

// functionsGroup declares the security group of ingest and the drainer. It allows
// connections to Redis, and to port 443 of any address: the gateway endpoint of S3 is a
// route to public addresses.
func functionsGroup(scope constructs.Construct, vpc awsec2.IVpc, redisPort float64, redisIn string) *string {
	return securityGroup(scope, "FunctionsGroup", vpc, "Data Sink: ingest and the drainer", nil,
		[]*awsec2.CfnSecurityGroup_EgressProperty{
			{
				IpProtocol: jsii.String("tcp"), FromPort: jsii.Number(httpsPort), ToPort: jsii.Number(httpsPort),
				CidrIp: jsii.String(anywhere), Description: jsii.String("AWS services"),
			},
			{
				IpProtocol: jsii.String("tcp"), FromPort: jsii.Number(redisPort), ToPort: jsii.Number(redisPort),
				CidrIp: jsii.String(redisIn), Description: jsii.String("Redis"),
			},
		})
}

// securityGroup declares a security group with its rules inline and returns its ID.
func securityGroup(
	scope constructs.Construct, id string, vpc awsec2.IVpc, description string,
	in []*awsec2.CfnSecurityGroup_IngressProperty, out []*awsec2.CfnSecurityGroup_EgressProperty,
) *string {
	if out == nil {
		// A group without an egress rule allows every connection. This rule allows none.
		out = []*awsec2.CfnSecurityGroup_EgressProperty{{
			IpProtocol: jsii.String("icmp"), FromPort: jsii.Number(252), ToPort: jsii.Number(86),
			CidrIp: jsii.String("255.255.255.255/32"), Description: jsii.String("nothing"),
		}}
	}
	props := &awsec2.CfnSecurityGroupProps{GroupDescription: jsii.String(description), VpcId: vpc.VpcId(), SecurityGroupEgress: out}
	if in != nil {
		props.SecurityGroupIngress = in
	}
	return awsec2.NewCfnSecurityGroup(scope, jsii.String(id), props).AttrGroupId()
}
