package datasink

import (
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awselasticache"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// Valkey costs a fifth less than Redis OSS on ElastiCache, speaks the same protocol,
// and has durability modes since version 9.0. The version of a cache can be raised
// but never lowered.
const (
	cacheEngine  = "valkey"
	cacheVersion = "9.0"
	cacheFamily  = "valkey9"
)

// newCache declares a replication group in cluster mode. It is in cluster mode even
// with one shard, because the mode cannot be changed later.
func newCache(scope constructs.Construct, s settings.Settings, net *network, secret awssecretsmanager.ISecret) awselasticache.CfnReplicationGroup {
	scope = constructs.NewConstruct(scope, jsii.String("Cache"))
	subnetGroup := awselasticache.NewCfnSubnetGroup(scope, jsii.String("Subnets"), &awselasticache.CfnSubnetGroupProps{
		Description: jsii.String("Data Sink " + s.Name), SubnetIds: net.subnetIDs(),
	})
	parameters := awselasticache.NewCfnParameterGroup(scope, jsii.String("Parameters"), &awselasticache.CfnParameterGroupProps{
		CacheParameterGroupFamily: jsii.String(cacheFamily),
		Description:               jsii.String("Data Sink " + s.Name + ": a queue, so nothing is ever evicted"),
		Properties:                cacheParameters(s),
	})
	props := &awselasticache.CfnReplicationGroupProps{
		ReplicationGroupDescription: jsii.String("Data Sink " + s.Name + ": the queue"),
		Engine:                      jsii.String(cacheEngine),
		EngineVersion:               jsii.String(cacheVersion),
		CacheNodeType:               jsii.String(s.CacheNodeType),
		CacheParameterGroupName:     parameters.Ref(),
		CacheSubnetGroupName:        subnetGroup.Ref(),
		SecurityGroupIds:            &[]*string{cacheGroup(scope, net)},
		Port:                        jsii.Number(defaultRedisPort),
		ClusterMode:                 jsii.String("enabled"),
		NumNodeGroups:               jsii.Number(s.CacheShards),
		ReplicasPerNodeGroup:        jsii.Number(s.CacheReplicas),
		AutomaticFailoverEnabled:    jsii.Bool(true),
		MultiAzEnabled:              jsii.Bool(s.CacheReplicas > 0),
		// An automatic upgrade would make the pinned version of the engine a refused
		// downgrade.
		AutoMinorVersionUpgrade:  jsii.Bool(false),
		AtRestEncryptionEnabled:  jsii.Bool(true),
		TransitEncryptionEnabled: jsii.Bool(true),
		TransitEncryptionMode:    jsii.String("required"),
		AuthToken:                secret.SecretValue().UnsafeUnwrap(), // a reference, resolved by CloudFormation
	}
	if s.CacheDurability != settings.DurabilityDisabled {
		props.Durability = jsii.String(s.CacheDurability)
	}
	group := awselasticache.NewCfnReplicationGroup(scope, jsii.String("Nodes"), props)
	// With this policy, a new number of shards moves slots between the nodes.
	// Without it, CloudFormation would replace the cache and lose its records.
	group.CfnOptions().SetUpdatePolicy(&awscdk.CfnUpdatePolicy{UseOnlineResharding: jsii.Bool(true)})
	// The cache may still hold accepted records.
	group.ApplyRemovalPolicy(awscdk.RemovalPolicy_SNAPSHOT, nil)
	return group
}

// replicaLagSeconds is the lag up to which a replica counts for minReplicas.
const replicaLagSeconds = 2

// cacheParameters returns the parameters of the nodes.
func cacheParameters(s settings.Settings) map[string]*string {
	p := map[string]*string{"maxmemory-policy": jsii.String("noeviction"), "cluster-enabled": jsii.String("yes")}
	if s.MinReplicas > 0 {
		p["min-replicas-to-write"] = jsii.String(strconv.Itoa(s.MinReplicas))
		p["min-replicas-max-lag"] = jsii.String(strconv.Itoa(replicaLagSeconds))
	}
	return p
}

// cacheGroup declares the security group of the cache, which accepts connections from
// ingest and the drainer, and returns its ID.
func cacheGroup(scope constructs.Construct, net *network) *string {
	return securityGroup(scope, "Group", net.vpc, "Data Sink: the cache",
		[]*awsec2.CfnSecurityGroup_IngressProperty{{
			IpProtocol: jsii.String("tcp"), FromPort: jsii.Number(defaultRedisPort), ToPort: jsii.Number(defaultRedisPort),
			SourceSecurityGroupId: net.functions, Description: jsii.String("ingest and the drainer"),
		}}, nil)
}
