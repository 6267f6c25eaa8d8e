package datasink

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheCacheIsAQueue(t *testing.T) {
	root := synth(t, nil, fourStreams).root
	parameters := only(t, root, "AWS::ElastiCache::ParameterGroup").Properties
	if got := asJSON(parameters["Properties"]); got != `{"cluster-enabled":"yes","maxmemory-policy":"noeviction"}` {
		t.Errorf("parameters %s", got)
	}
	cache := only(t, root, "AWS::ElastiCache::ReplicationGroup")
	p := cache.Properties
	for name, want := range map[string]any{
		"Engine": "valkey", "EngineVersion": "9.0", "CacheNodeType": "cache.t4g.small", "ClusterMode": "enabled", "NumNodeGroups": 1.0, "ReplicasPerNodeGroup": 1.0,
		"AutoMinorVersionUpgrade": false, "AutomaticFailoverEnabled": true, "MultiAZEnabled": true, "Port": 6379.0, "Durability": nil, "CacheParameterGroupName": "${CacheParameters}", "CacheSubnetGroupName": "${CacheSubnets}",
	} {
		if got := resolved(p[name]); got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	// Neither more shards nor the end of the stack may lose what waits.
	if cache.UpdatePolicy["UseOnlineResharding"] != true || cache.DeletionPolicy != "Snapshot" || cache.UpdateReplacePolicy != "Snapshot" {
		t.Errorf("update %v, deletion %s, replacement %s", cache.UpdatePolicy, cache.DeletionPolicy, cache.UpdateReplacePolicy)
	}
}

func TestTheCacheAsTheSettingsSay(t *testing.T) {
	cache := func(context map[string]any) object {
		return only(t, synth(t, context, fourStreams).root, "AWS::ElastiCache::ReplicationGroup").Properties
	}
	p := cache(map[string]any{"cacheNodeType": "cache.r8g.large", "cacheShards": "3", "cacheReplicas": "2", "cacheDurability": "sync"})
	want := object{"CacheNodeType": "cache.r8g.large", "NumNodeGroups": 3.0, "ReplicasPerNodeGroup": 2.0, "Durability": "sync"}
	for name, value := range want {
		if p[name] != value {
			t.Errorf("%s = %v, want %v", name, p[name], value)
		}
	}
	if p := cache(map[string]any{"cacheReplicas": "0"}); p["MultiAZEnabled"] != false || p["AutomaticFailoverEnabled"] != true {
		t.Errorf("a cache without replicas: Multi-AZ %v, failover %v", p["MultiAZEnabled"], p["AutomaticFailoverEnabled"])
	}
}

func TestANodeRefusesWritesWithoutEnoughReplicas(t *testing.T) {
	for _, tt := range []struct {
		context map[string]any
		want    string
	}{
		{nil, `{"cluster-enabled":"yes","maxmemory-policy":"noeviction"}`},
		{map[string]any{"cacheReplicas": "2"}, `{"cluster-enabled":"yes","maxmemory-policy":"noeviction","min-replicas-max-lag":"2","min-replicas-to-write":"1"}`},
		{map[string]any{"cacheReplicas": "2", "minReplicas": "0"}, `{"cluster-enabled":"yes","maxmemory-policy":"noeviction"}`},
		{map[string]any{"cacheReplicas": "3", "minReplicas": "2"}, `{"cluster-enabled":"yes","maxmemory-policy":"noeviction","min-replicas-max-lag":"2","min-replicas-to-write":"2"}`},
	} {
		if got := asJSON(only(t, synth(t, tt.context, fourStreams).root, "AWS::ElastiCache::ParameterGroup").Properties["Properties"]); got != tt.want {
			t.Errorf("%v: parameters %s, want %s", tt.context, got, tt.want)
		}
	}
}

// If the cache fails at a first deploy, there must be no Kinesis stream yet: it would be
// retained, and block the next try.
func TestStreamsAreDeployedAfterTheCache(t *testing.T) {
	for name, tt := range map[string]struct {
		context map[string]any
		streams string
		cache   string
	}{
		"few": {nil, fourStreams, "CacheNodes"}, "many": {nil, many(12), "CacheNodes"}, "serverless": {serverless, fourStreams, "ServerlessCache"},
	} {
		root := synth(t, tt.context, tt.streams).root
		for id := range ofType(root, "AWS::CloudFormation::Stack") {
			if !dependsOn(root, id, tt.cache) {
				t.Errorf("%s: %s does not depend on the cache", name, id)
			}
		}
	}
}

func TestARedisWithoutTLSIsWarnedAbout(t *testing.T) {
	for url, want := range map[string]bool{"redis://redis": true, "rediss://redis": false} {
		a := synth(t, map[string]any{"redisUrl": url}, fourStreams)
		if got := strings.Contains(string(readFile(t, a.dir+"/datasink.metadata.json")), "redisUrl: redis:// is not encrypted"); got != want {
			t.Errorf("%s: warning %v, want %v", url, got, want)
		}
	}
}

func TestIngestAndDrainerAreInAVPCWithoutARouteOut(t *testing.T) {
	root := synth(t, nil, fourStreams).root
	for _, kind := range []string{"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route", "AWS::EC2::EIP", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"} {
		if n := len(ofType(root, kind)); n > 0 {
			t.Errorf("%d of %s", n, kind)
		}
	}
	for function, inside := range map[string]bool{"Ingest": true, "Drainer": true, "Bridge": false} {
		vpc := at(named(t, root, "AWS::Lambda::Function", function).Properties, "VpcConfig")
		if inside != (vpc != nil) {
			t.Errorf("%s: VPC %v, want inside %v", function, vpc, inside)
		}
		if inside {
			subnets, _ := at(vpc, "SubnetIds").([]any)
			if got := list(at(vpc, "SecurityGroupIds")); len(subnets) != 2 || !slices.Equal(got, []string{"${NetworkFunctionsGroup.GroupId}"}) {
				t.Errorf("%s: %d subnets, groups %v", function, len(subnets), got)
			}
		}
	}
	services := make(map[string]string)
	for _, e := range ofType(root, "AWS::EC2::VPCEndpoint") {
		kind := rendered(e.Properties["VpcEndpointType"])
		services[rendered(e.Properties["ServiceName"])] = kind
		if kind == "Interface" && !slices.Equal(list(e.Properties["SecurityGroupIds"]), []string{"${NetworkEndpointsGroup.GroupId}"}) {
			t.Errorf("an endpoint has the groups %v", e.Properties["SecurityGroupIds"])
		}
	}
	prefix := "com.amazonaws.${AWS::Region}."
	want := map[string]string{prefix + "s3": "Gateway", prefix + "sqs": "Interface", prefix + "kinesis-streams": "Interface", prefix + "secretsmanager": "Interface"}
	if diff := cmp.Diff(want, services); diff != "" {
		t.Errorf("endpoints differ (-want +got):\n%s", diff)
	}
}

func TestSecurityGroupsLetThroughWhatIsNeeded(t *testing.T) {
	root := synth(t, nil, fourStreams).root
	nothing := "icmp 252-86 to 255.255.255.255/32"
	want := map[string][]string{
		"NetworkFunctionsGroup": {"tcp 443-443 to 0.0.0.0/0", "tcp 6379-6379 to 10.0.0.0/16"},
		"NetworkEndpointsGroup": {nothing, "tcp 443-443 from ${NetworkFunctionsGroup.GroupId}"},
		"CacheGroup":            {nothing, "tcp 6379-6379 from ${NetworkFunctionsGroup.GroupId}"},
	}
	if diff := cmp.Diff(want, rules(root)); diff != "" {
		t.Errorf("rules differ (-want +got):\n%s", diff)
	}
}

func rules(root template) map[string][]string {
	found := make(map[string][]string)
	for id, g := range ofType(root, "AWS::EC2::SecurityGroup") {
		for _, direction := range []struct{ property, word, peer string }{
			{"SecurityGroupIngress", " from ", "SourceSecurityGroupId"}, {"SecurityGroupEgress", " to ", "CidrIp"},
		} {
			all, _ := g.Properties[direction.property].([]any)
			for _, r := range all {
				peer := at(r, direction.peer)
				if peer == nil {
					peer = at(r, "CidrIpv6")
				}
				found[plain(id)] = append(found[plain(id)], rendered(at(r, "IpProtocol"))+" "+rendered(at(r, "FromPort"))+"-"+rendered(at(r, "ToPort"))+direction.word+plain(rendered(peer)))
			}
		}
		slices.Sort(found[plain(id)])
	}
	return found
}

func TestAnExistingRedisNeedsNoCacheAndNoVPC(t *testing.T) {
	a := synth(t, map[string]any{"redisUrl": "rediss://redis.example.com:6380?cluster=true", "redisSecret": aSecret}, fourStreams)
	for id, r := range a.root.Resources {
		if strings.HasPrefix(r.Type, "AWS::ElastiCache::") || strings.HasPrefix(r.Type, "AWS::EC2::") {
			t.Errorf("%s is a %s", id, r.Type)
		}
	}
	for _, function := range []string{"Ingest", "Drainer"} {
		v := variables(t, a.root, function)
		if v["DATASINK_REDIS_URL"] != "rediss://redis.example.com:6380?cluster=true" || v["DATASINK_REDIS_SECRET"] != aSecret {
			t.Errorf("%s uses Redis %v, %v", function, v["DATASINK_REDIS_URL"], v["DATASINK_REDIS_SECRET"])
		}
		if vpc := at(named(t, a.root, "AWS::Lambda::Function", function).Properties, "VpcConfig"); vpc != nil {
			t.Errorf("%s: VPC %v", function, vpc)
		}
	}
	want := expectedPermissions()
	want["IngestRole"]["secretsmanager:GetSecretValue"] = []string{want["IngestRole"]["secretsmanager:GetSecretValue"][1], aSecret}
	want["DrainerRole"]["secretsmanager:GetSecretValue"] = []string{aSecret}
	for _, action := range networkActions {
		delete(want["IngestRole"], action)
		delete(want["DrainerRole"], action)
	}
	delete(want, "HealthRole") // only a function in a VPC becomes inactive
	slices.Sort(want["IngestRole"]["secretsmanager:GetSecretValue"])
	if diff := cmp.Diff(want, allowed(t, a)); diff != "" {
		t.Errorf("permissions differ (-want +got):\n%s", diff)
	}
}

func TestARedisWithoutAPasswordNeedsNoSecret(t *testing.T) {
	a := synth(t, map[string]any{"redisUrl": "redis://redis"}, fourStreams)
	if got := variables(t, a.root, "Drainer")["DATASINK_REDIS_SECRET"]; got != "" {
		t.Errorf("DATASINK_REDIS_SECRET = %v", got)
	}
	if _, may := allowed(t, a)["DrainerRole"]["secretsmanager:GetSecretValue"]; may {
		t.Error("the drainer may read a secret")
	}
}

// ownVPC is the context of a deployment into a VPC that the CDK command has
// looked up, with subnets of the given types.
func ownVPC(types ...string) map[string]any {
	var groups []any
	for i, kind := range types {
		var subnets []any
		for _, zone := range []string{"a", "b"} {
			subnets = append(subnets, object{
				"subnetId": fmt.Sprintf("subnet-%d%s", i, zone), "cidr": "10.1.0.0/24", "availabilityZone": "eu-west-1" + zone, "routeTableId": "rtb-1",
			})
		}
		groups = append(groups, object{"name": kind, "type": kind, "subnets": subnets})
	}
	const id = "vpc-0123456789abcdef0"
	return map[string]any{
		"vpcId": id,
		"vpc-provider:account=" + testAccount + ":filter.vpc-id=" + id + ":region=eu-west-1:returnAsymmetricSubnets=true": object{
			"vpcId": id, "vpcCidrBlock": "10.1.0.0/16", "ownerAccountId": testAccount, "availabilityZones": []any{}, "subnetGroups": groups,
		},
	}
}

func TestAnExistingVPC(t *testing.T) {
	context := ownVPC("Public", "Isolated", "Private")
	root := synth(t, context, fourStreams).root
	for _, kind := range []string{"AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::VPCEndpoint"} {
		if n := len(ofType(root, kind)); n > 0 {
			t.Errorf("%d of %s in a VPC that is not the stack's", n, kind)
		}
	}
	private := []string{"subnet-2a", "subnet-2b"}
	if got := list(only(t, root, "AWS::ElastiCache::SubnetGroup").Properties["SubnetIds"]); !slices.Equal(got, private) {
		t.Errorf("the cache is in %v, want %v", got, private)
	}
	if got := list(at(named(t, root, "AWS::Lambda::Function", "Drainer").Properties, "VpcConfig", "SubnetIds")); !slices.Equal(got, private) {
		t.Errorf("the drainer is in %v, want %v", got, private)
	}
	if got := slices.Sorted(maps.Keys(rules(root))); !slices.Equal(got, []string{"CacheGroup", "NetworkFunctionsGroup"}) {
		t.Errorf("groups %v", got)
	}

	isolated := synth(t, ownVPC("Public", "Isolated"), fourStreams).root
	if got := list(only(t, isolated, "AWS::ElastiCache::SubnetGroup").Properties["SubnetIds"]); !slices.Equal(got, []string{"subnet-1a", "subnet-1b"}) {
		t.Errorf("without subnets that have NAT, the cache is in %v", got)
	}

	given := synth(t, with(context, "redisUrl", "redis://redis.internal:7000"), fourStreams).root
	if n := len(ofType(given, "AWS::ElastiCache::ReplicationGroup")); n > 0 {
		t.Errorf("%d caches beside the given Redis", n)
	}
	want := map[string][]string{"NetworkFunctionsGroup": {"tcp 443-443 to 0.0.0.0/0", "tcp 7000-7000 to 0.0.0.0/0"}}
	if diff := cmp.Diff(want, rules(given)); diff != "" {
		t.Errorf("rules differ (-want +got):\n%s", diff)
	}
	if at(named(t, given, "AWS::Lambda::Function", "Drainer").Properties, "VpcConfig") == nil {
		t.Error("the drainer is not in the VPC")
	}
}

func TestAVPCWithoutPrivateSubnetsIsRefusedByName(t *testing.T) {
	context := ownVPC("Public")
	a := synth(t, with(context, "redisUrl", "redis://redis"), fourStreams)
	if b := string(readFile(t, a.dir+"/datasink.metadata.json")); !strings.Contains(b, "vpcId: this VPC has no private subnets") {
		t.Errorf("the assembly does not say what is wrong: %s", b)
	}
}
