package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// functionsGroup declares the security group of ingest and the drainer. It allows
// connections to Redis, and to port 443 of any address: the gateway endpoint of S3 is a
// route to public addresses.
func functionsGroup(scope constructs.Construct, vpc awsec2.IVpc, s settings.Settings, redisIn string) *string {
	out := []*awsec2.CfnSecurityGroup_EgressProperty{
		{
			IpProtocol: jsii.String("tcp"), FromPort: jsii.Number(httpsPort), ToPort: jsii.Number(httpsPort),
			CidrIp: jsii.String(anywhere), Description: jsii.String("AWS services"),
		},
		{
			IpProtocol: jsii.String("tcp"), FromPort: jsii.Number(redisPort(s)), ToPort: jsii.Number(redisPort(s)),
			CidrIp: jsii.String(redisIn), Description: jsii.String("Redis"),
		},
	}
	if s.IPv6() {
		out = append(out, &awsec2.CfnSecurityGroup_EgressProperty{
			IpProtocol: jsii.String("tcp"), FromPort: jsii.Number(httpsPort), ToPort: jsii.Number(httpsPort),
			CidrIpv6: jsii.String(anywhereIPv6), Description: jsii.String("AWS services over IPv6"),
		})
	}
	// A changed description would replace the group.
	return securityGroup(scope, "FunctionsGroup", vpc, "Data Sink: ingest and drainer", nil, out)
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
