package datasink

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/data-sink/data-sink/internal/pipeline/env"
)

var byIPv6 = map[string]any{"egress": "ipv6"}

// services are the AWS services that ingest and the drainer call, by the way on which
// they reach them with egress=ipv6. SQS and Kinesis need the dual-stack endpoint, which
// the clients choose; the ordinary endpoint of Secrets Manager is dual-stack.
var services = map[string]string{"sqs": "ipv6", "kinesis-streams": "ipv6", "secretsmanager": "ipv6", "s3": "gateway endpoint"}

// TestEveryServiceIsReachable checks the way to each service that a function in the VPC
// calls. The emulator runs functions outside of any VPC and would not notice.
func TestEveryServiceIsReachable(t *testing.T) {
	for _, tt := range []struct {
		context map[string]any
		subnets int // of each interface endpoint
	}{{nil, 2}, {map[string]any{"egress": "endpoint"}, 1}, {byIPv6, 0}, {map[string]any{"egress": "both"}, 2}} {
		root := synth(t, tt.context, fourStreams).root
		reached := make(map[string]bool)
		for _, e := range ofType(root, "AWS::EC2::VPCEndpoint") {
			for service := range services {
				if rendered(e.Properties["ServiceName"]) == "com.amazonaws.${AWS::Region}."+service {
					reached[service] = true
				}
			}
			if e.Properties["VpcEndpointType"] == "Interface" {
				if subnets, _ := e.Properties["SubnetIds"].([]any); len(subnets) != tt.subnets {
					t.Errorf("%v: an endpoint in %d subnets, want %d", tt.context, len(subnets), tt.subnets)
				}
			}
		}
		for service, way := range services {
			if tt.subnets == 0 && way == "ipv6" {
				reached[service] = len(ofType(root, "AWS::EC2::EgressOnlyInternetGateway")) == 1
			}
			if !reached[service] {
				t.Errorf("%v: no way to %s", tt.context, service)
			}
		}
	}
}

func TestIPv6Egress(t *testing.T) {
	root := synth(t, byIPv6, fourStreams).root
	block := only(t, root, "AWS::EC2::VPCCidrBlock").Properties
	if block["AmazonProvidedIpv6CidrBlock"] != true {
		t.Errorf("the VPC has the block %v", block)
	}
	for id, r := range ofType(root, "AWS::EC2::Subnet") {
		if r.Properties["Ipv6CidrBlock"] == nil || r.Properties["AssignIpv6AddressOnCreation"] != true {
			t.Errorf("subnet %s has no IPv6 addresses: %v", id, r.Properties)
		}
	}
	routes := ofType(root, "AWS::EC2::Route")
	tables := make(map[string]bool)
	for id, r := range routes {
		tables[asJSON(r.Properties["RouteTableId"])] = true
		if r.Properties["DestinationIpv6CidrBlock"] != "::/0" || r.Properties["EgressOnlyInternetGatewayId"] == nil {
			t.Errorf("route %s: %v", id, r.Properties)
		}
	}
	if subnets := len(ofType(root, "AWS::EC2::Subnet")); len(tables) != subnets {
		t.Errorf("%d route tables have the route, want %d", len(tables), subnets)
	}
	for _, function := range []string{"Ingest", "Drainer"} {
		r := named(t, root, "AWS::Lambda::Function", function)
		if at(r.Properties, "VpcConfig", "Ipv6AllowedForDualStack") != true || variables(t, root, function)[env.DualStack] != "true" {
			t.Errorf("%s does not use IPv6", function)
		}
		depends := list(r.DependsOn)
		if !slices.Contains(depends, "NetworkIpv6Route1") || !slices.Contains(depends, "NetworkIpv6Route2") {
			t.Errorf("%s depends on %v, want the routes among them", function, depends)
		}
	}
	want := []string{"tcp 443-443 to 0.0.0.0/0", "tcp 443-443 to ::/0", "tcp 6379-6379 to 10.0.0.0/16"}
	if diff := cmp.Diff(want, rules(root)["NetworkFunctionsGroup"]); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	for _, kind := range []string{"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway"} {
		if n := len(ofType(root, kind)); n > 0 {
			t.Errorf("%d of %s", n, kind)
		}
	}
}

// A change from endpoints to IPv6 first adds the new way and then removes the old one, so
// that environments of the functions which use the old one are never cut off.
func TestAnEgressIsChangedInTwoDeploys(t *testing.T) {
	both := synth(t, map[string]any{"egress": "both"}, fourStreams).root
	for _, egress := range []string{"endpoints", "ipv6"} {
		for id, r := range synth(t, map[string]any{"egress": egress}, fourStreams).root.Resources {
			if _, ok := both.Resources[id]; !ok {
				t.Errorf("egress=both has no %s, a %s of egress=%s", id, r.Type, egress)
			}
		}
	}
}

func TestEndpointsServeOnlyThisAccount(t *testing.T) {
	for _, context := range []map[string]any{nil, byIPv6} {
		for id, e := range ofType(synth(t, context, fourStreams).root, "AWS::EC2::VPCEndpoint") {
			want := object{"Statement": []any{object{
				"Effect": "Allow", "Principal": object{"AWS": "*"}, "Action": "*", "Resource": "*",
				"Condition": object{"StringEquals": object{"aws:PrincipalAccount": "${AWS::AccountId}", "aws:ResourceAccount": "${AWS::AccountId}"}},
			}}, "Version": "2012-10-17"}
			if diff := cmp.Diff(want, resolved(e.Properties["PolicyDocument"])); diff != "" {
				t.Errorf("%v: policy of %s (-want +got):\n%s", context, id, diff)
			}
		}
	}
}
