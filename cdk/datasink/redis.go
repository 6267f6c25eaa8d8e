package datasink

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

const defaultRedisPort = 6379

// redis is the Redis of the queue as the functions and the alarms know it.
type redis struct {
	// url has no credentials. secret is the ARN of the secret with the credentials,
	// or nil.
	url, secret *string
	// secretGrant is the ARN pattern of the secret for the roles that read it, or nil.
	secretGrant *string
	// group is the ID of the replication group that the stack creates, or nil.
	group *string
	// cache is the cache that the stack creates, or nil.
	cache awscdk.CfnResource
}

// redisPort returns the port of the Redis.
func redisPort(s settings.Settings) float64 {
	if u, err := url.Parse(s.RedisURL); err == nil && u.Port() != "" {
		if port, err := strconv.Atoi(u.Port()); err == nil {
			return float64(port)
		}
	}
	return defaultRedisPort
}

// newRedis declares the cache, or describes the Redis of the setting redisUrl. It warns
// of a connection without TLS, because records and the password would be readable.
func newRedis(stack awscdk.Stack, s settings.Settings, net *network) redis {
	if !s.CreatesCache() {
		if strings.HasPrefix(s.RedisURL, "redis:") {
			awscdk.Annotations_Of(stack).AddWarningV2(jsii.String("data-sink:redisUrl"),
				jsii.String("redisUrl: redis:// is not encrypted: everybody on the network path can read the records and the password; use rediss://"))
		}
		r := redis{url: jsii.String(s.RedisURL)}
		if s.RedisSecret != "" {
			r.secret = jsii.String(s.RedisSecret)
			r.secretGrant = r.secret
		}
		return r
	}
	if s.Serverless() {
		return newServerlessCache(stack, s, net)
	}
	secret := awssecretsmanager.NewSecret(stack, jsii.String("CacheSecret"), &awssecretsmanager.SecretProps{
		SecretName:           jsii.String(cacheSecretName(s)),
		Description:          jsii.String("Data Sink " + s.Name + ": password of the cache"),
		GenerateSecretString: alphanumeric(64),
		RemovalPolicy:        awscdk.RemovalPolicy_DESTROY,
	})
	group := newCache(stack, s, net, secret)
	return redis{
		url: joined(
			jsii.String("rediss://"), group.AttrConfigurationEndPointAddress(), jsii.String(":"), group.AttrConfigurationEndPointPort(), jsii.String("?cluster=true"),
		),
		secret:      secret.SecretArn(),
		secretGrant: secretARN(stack, cacheSecretName(s)),
		group:       group.Ref(),
		cache:       group,
	}
}
