package datasink

import (
	"fmt"
	"net/url"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awselasticache"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Valkey is a fifth cheaper than ElastiCache's Redis, speaks its protocol, and
// from 9.0 on has durability modes. A cache can go up a version, never down.
const (
	cacheEngine  = "valkey"
	cacheVersion = "9.0"
	cacheFamily  = "valkey9"
)

const defaultRedisPort = 6379

// redis is the queue's Redis, as the functions need to know it.
type redis struct {
	// url has no credentials; secret is the ARN of the secret with them, or nil.
	url, secret *string
	// secretGrant is the ARN pattern by which a role may read the secret, or nil.
	secretGrant *string
	// group is the id of the stack's own replication group, or nil.
	group *string
}

// redisPort is where the queue's Redis listens.
func redisPort(s settings) float64 {
	if u, err := url.Parse(s.redisURL); err == nil && u.Port() != "" {
		if port, err := strconv.Atoi(u.Port()); err == nil {
			return float64(port)
		}
	}
	return defaultRedisPort
}

// newRedis declares the cache, or takes over the Redis that the settings name.
func newRedis(scope awscdk.Stack, s settings, net *network) redis {
	if !s.cacheInCloud() {
		r := redis{url: jsii.String(s.redisURL)}
		if s.redisSecret != "" {
			r.secret = jsii.String(s.redisSecret)
			r.secretGrant = r.secret
		}
		return r
	}
	secret := awssecretsmanager.NewSecret(scope, jsii.String("CacheSecret"), &awssecretsmanager.SecretProps{
		SecretName:           jsii.String(cacheSecretName(s)),
		Description:          jsii.String("Data Sink " + s.name + ": password of the cache"),
		GenerateSecretString: alphanumeric(64),
		RemovalPolicy:        awscdk.RemovalPolicy_DESTROY,
	})
	group := newCache(scope, s, net, secret)
	return redis{
		url: joined(
			jsii.String("rediss://"), group.AttrConfigurationEndPointAddress(), jsii.String(":"), group.AttrConfigurationEndPointPort(), jsii.String("?cluster=true"),
		),
		secret:      secret.SecretArn(),
		secretGrant: secretARN(scope, cacheSecretName(s)),
		group:       group.Ref(),
	}
}

// newCache declares a replication group in cluster mode, whatever its number of
// shards, for that mode cannot be chosen later.
func newCache(scope constructs.Construct, s settings, net *network, secret awssecretsmanager.ISecret) awselasticache.CfnReplicationGroup {
	scope = constructs.NewConstruct(scope, jsii.String("Cache"))
	subnets := make([]any, 0, len(*net.subnets.SubnetIds))
	for _, id := range *net.subnets.SubnetIds {
		subnets = append(subnets, id)
	}
	subnetGroup := awselasticache.NewCfnSubnetGroup(scope, jsii.String("Subnets"), &awselasticache.CfnSubnetGroupProps{
		Description: jsii.String("Data Sink " + s.name), SubnetIds: &subnets,
	})
	parameters := awselasticache.NewCfnParameterGroup(scope, jsii.String("Parameters"), &awselasticache.CfnParameterGroupProps{
		CacheParameterGroupFamily: jsii.String(cacheFamily),
		Description:               jsii.String("Data Sink " + s.name + ": a queue, so nothing is ever evicted"),
		Properties:                map[string]*string{"maxmemory-policy": jsii.String("noeviction"), "cluster-enabled": jsii.String("yes")},
	})
	access := securityGroup(scope, "Group", net.vpc, "Data Sink: the cache",
		[]*awsec2.CfnSecurityGroup_IngressProperty{{
			IpProtocol: jsii.String("tcp"), FromPort: jsii.Number(defaultRedisPort), ToPort: jsii.Number(defaultRedisPort),
			SourceSecurityGroupId: net.functions, Description: jsii.String("ingest and drainer"),
		}}, nil)
	props := &awselasticache.CfnReplicationGroupProps{
		ReplicationGroupDescription: jsii.String(fmt.Sprintf("Data Sink %s: the queue", s.name)),
		Engine:                      jsii.String(cacheEngine),
		EngineVersion:               jsii.String(cacheVersion),
		CacheNodeType:               jsii.String(s.cacheNodeType),
		CacheParameterGroupName:     parameters.Ref(),
		CacheSubnetGroupName:        subnetGroup.Ref(),
		SecurityGroupIds:            &[]*string{access},
		Port:                        jsii.Number(defaultRedisPort),
		ClusterMode:                 jsii.String("enabled"),
		NumNodeGroups:               jsii.Number(s.cacheShards),
		ReplicasPerNodeGroup:        jsii.Number(s.cacheReplicas),
		AutomaticFailoverEnabled:    jsii.Bool(true),
		MultiAzEnabled:              jsii.Bool(s.cacheReplicas > 0),
		AtRestEncryptionEnabled:     jsii.Bool(true),
		TransitEncryptionEnabled:    jsii.Bool(true),
		TransitEncryptionMode:       jsii.String("required"),
		AuthToken:                   secret.SecretValue().UnsafeUnwrap(), // a reference, resolved by CloudFormation
	}
	if s.cacheDurability != "disabled" {
		props.Durability = jsii.String(s.cacheDurability)
	}
	group := awselasticache.NewCfnReplicationGroup(scope, jsii.String("Nodes"), props)
	// A change of shards moves slots between nodes; without this policy it
	// would replace the cache and what waits in it.
	group.CfnOptions().SetUpdatePolicy(&awscdk.CfnUpdatePolicy{UseOnlineResharding: jsii.Bool(true)})
	// Records that were answered with 202 may still wait in it.
	group.ApplyRemovalPolicy(awscdk.RemovalPolicy_SNAPSHOT, nil)
	return group
}
