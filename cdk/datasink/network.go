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
	// ways are the routes and the endpoints that the functions need when they start.
	ways []constructs.IDependable
}

// subnetIDs returns the subnets in the form of L1 constructs.
func (n *network) subnetIDs() *[]any {
	ids := make([]any, 0, len(*n.subnets.SubnetIds))
	for _, id := range *n.subnets.SubnetIds {
		ids = append(ids, id)
	}
	return &ids
}

const (
	vpcCIDR      = "10.0.0.0/16"
	anywhere     = "0.0.0.0/0"
	anywhereIPv6 = "::/0"
	httpsPort    = 443
)

// newNetwork declares a VPC that accepts no connection from the internet, or looks up the
// VPC of the setting vpcId. Nor is there a route to the internet, except over
// IPv6 with egress=ipv6 or both.
func newNetwork(stack awscdk.Stack, d deployment) *network {
	s := d.Settings
	scope := constructs.NewConstruct(stack, jsii.String("Network"))
	if s.VPCID != "" {
		vpc := awsec2.Vpc_FromLookup(scope, jsii.String("Vpc"), &awsec2.VpcLookupOptions{VpcId: jsii.String(s.VPCID)})
		return &network{vpc: vpc, subnets: privateSubnets(scope, vpc), functions: functionsGroup(scope, vpc, s, anywhere)}
	}
	props := &awsec2.VpcProps{
		IpAddresses: awsec2.IpAddresses_Cidr(jsii.String(vpcCIDR)),
		MaxAzs:      jsii.Number(settings.Zones),
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{{
			Name: jsii.String("isolated"), SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED, CidrMask: jsii.Number(20),
		}},
		// Nothing uses the default security group. Removing its rules would need a custom
		// resource.
		RestrictDefaultSecurityGroup: jsii.Bool(false),
	}
	if s.IPv6() {
		props.IpProtocol = awsec2.IpProtocol_DUAL_STACK
	}
	vpc := awsec2.NewVpc(scope, jsii.String("Vpc"), props)
	isolated := &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED}
	n := &network{vpc: vpc, subnets: vpc.SelectSubnets(isolated), functions: functionsGroup(scope, vpc, s, vpcCIDR)}
	s3 := vpc.AddGatewayEndpoint(jsii.String("S3"), &awsec2.GatewayVpcEndpointOptions{
		Service: awsec2.GatewayVpcEndpointAwsService_S3(), Subnets: &[]*awsec2.SubnetSelection{isolated},
	})
	s3.AddToPolicy(ownAccount(stack))
	if s.IPv6() {
		n.ways = newIPv6Routes(scope, vpc, n.subnets)
	}
	if streams := d.streams.All(); s.InterfaceEndpoints(streams) > 0 {
		newEndpoints(stack, scope, s, n, vpc, settings.EndpointServices(streams))
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
