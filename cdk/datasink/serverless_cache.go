package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awselasticache"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// cacheUser is the name of the user of a serverless cache.
const cacheUser = "datasink"

// cacheMajorVersion is the version of a serverless cache.
const cacheMajorVersion = "9"

// cacheCommands are the commands that package queue uses. A test compares them with
// queue.ACL, which this package cannot import.
const cacheCommands = "+asking +cluster|slots +command +del +eval +evalsha +exists +hdel +hget +hgetall +hincrby +hlen +hmget +hset " +
	"+info +lindex +llen +lpush +lrange +ltrim +pexpire +ping +pttl +rename +rpush +scan +set +time +unlink +wait " +
	"+zadd +zrange +zrangebyscore +zrem +zscore"

// accessString is the ACL of the user: the commands of the queue, on the keys of the
// deployment.
func accessString(s settings.Settings) string { return "on ~" + s.Name + ":* -@all " + cacheCommands }

// newServerlessCache declares a serverless cache and its only user. Its eviction policy
// is volatile-lru, which never evicts records because records have no TTL.
func newServerlessCache(stack awscdk.Stack, s settings.Settings, net *network) redis {
	scope := constructs.NewConstruct(stack, jsii.String("ServerlessCache"))
	generate := alphanumeric(64)
	generate.SecretStringTemplate = jsii.String(`{"username":"` + cacheUser + `"}`)
	generate.GenerateStringKey = jsii.String("password")
	secret := awssecretsmanager.NewSecret(scope, jsii.String("Secret"), &awssecretsmanager.SecretProps{
		SecretName:           jsii.String(cacheUserSecretName(s)),
		Description:          jsii.String("Data Sink " + s.Name + ": user and password of the cache"),
		GenerateSecretString: generate,
		RemovalPolicy:        awscdk.RemovalPolicy_DESTROY,
	})
	user := awselasticache.NewCfnUser(scope, jsii.String("User"), &awselasticache.CfnUserProps{
		Engine: jsii.String(cacheEngine), UserId: jsii.String(s.Name + "-cache"), UserName: jsii.String(cacheUser),
		AccessString: jsii.String(accessString(s)),
		AuthenticationMode: map[string]any{
			"Type":      "password",
			"Passwords": []any{secret.SecretValueFromJson(jsii.String("password")).UnsafeUnwrap()}, // a reference, resolved by CloudFormation
		},
	})
	group := awselasticache.NewCfnUserGroup(scope, jsii.String("Users"), &awselasticache.CfnUserGroupProps{
		Engine: jsii.String(cacheEngine), UserGroupId: jsii.String(s.Name + "-cache"), UserIds: &[]*string{user.Ref()},
	})
	cache := awselasticache.NewCfnServerlessCache(scope, jsii.String("Cache"), &awselasticache.CfnServerlessCacheProps{
		ServerlessCacheName: jsii.String(s.Name), Description: jsii.String("Data Sink " + s.Name + ": the queue"),
		Engine: jsii.String(cacheEngine), MajorEngineVersion: jsii.String(cacheMajorVersion),
		// A minimum would be billed even when the cache is empty.
		CacheUsageLimits: &awselasticache.CfnServerlessCache_CacheUsageLimitsProperty{
			DataStorage: &awselasticache.CfnServerlessCache_DataStorageProperty{Unit: jsii.String("GB"), Maximum: jsii.Number(s.CacheMaxGB)},
		},
		SubnetIds:        net.subnetIDs(),
		SecurityGroupIds: &[]any{cacheGroup(scope, net)},
		UserGroupId:      group.Ref(),
		// The cache may still hold accepted records. This resource type does not
		// support the deletion policy Snapshot.
		FinalSnapshotName: jsii.String(s.Name + "-final"),
	})
	return redis{
		url:         joined(jsii.String("rediss://"), cache.AttrEndpointAddress(), jsii.String(":"), cache.AttrEndpointPort(), jsii.String("?cluster=true")),
		secret:      secret.SecretArn(),
		secretGrant: secretARN(stack, cacheUserSecretName(s)),
		cache:       cache,
	}
}
