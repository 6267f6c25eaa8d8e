package settings

import (
	"fmt"
	"regexp"
)

// durable matches the families of node types that support durability modes.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Durability.Limitations.html
var durable = regexp.MustCompile(`^cache\.([rm][678]g|c[78]gn)\.`)

// maxNodes is the largest quota of nodes of a cluster; the default is 90.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/quota-limits.html
const maxNodes = 500

// refusal says that some settings must not be given in a situation.
type refusal struct {
	names []string
	when  func(s Settings) bool
	why   string
}

var refusals = []refusal{
	{
		[]string{"cache", "cacheMaxGB", "cacheNodeType", "cacheShards", "cacheReplicas", "cacheDurability", "minReplicas"},
		func(s Settings) bool { return !s.CreatesCache() },
		"has no effect with redisUrl, because the stack then creates no cache",
	},
	{
		[]string{"cacheNodeType", "cacheShards", "cacheReplicas", "cacheDurability", "minReplicas", "waitReplicas"},
		Settings.Serverless,
		"has no effect with cache=serverless, because a serverless cache has no nodes",
	},
	{
		[]string{"cacheMaxGB"},
		func(s Settings) bool { return s.Nodes() > 0 },
		"has no effect with cache=nodes; cacheNodeType decides on the memory",
	},
	{
		[]string{"domainName", "certificateArn"},
		func(s Settings) bool { return s.Front == FrontURL },
		"does not work with front=url: a function URL has a custom domain only behind CloudFront",
	},
	{
		[]string{"throttleRate", "throttleBurst"},
		func(s Settings) bool { return s.Front == FrontURL },
		"has no effect with front=url; ingestConcurrency bounds a function URL",
	},
	{
		[]string{"egress"},
		func(s Settings) bool { return s.CreatesCache() && s.VPCID != "" },
		"has no effect with vpcId, because the stack does not change that VPC",
	},
	{
		[]string{"egress"},
		func(s Settings) bool { return !s.CreatesCache() },
		"has no effect with redisUrl, because the stack then creates no VPC",
	},
	{
		[]string{"lakeFrom"},
		func(s Settings) bool { return !s.Lake },
		"has no effect without lake=true",
	},
	{
		[]string{"redisSecret"},
		Settings.CreatesCache,
		"works only with redisUrl; the cache of the stack has its own secret",
	},
}

// contradictions returns the problems of settings that are each valid alone. given
// holds the names of the settings that have a value in the context.
func (s Settings) contradictions(given map[string]bool) []error {
	var problems []error
	problem := func(name, format string, args ...any) {
		problems = append(problems, fmt.Errorf(name+": "+format, args...))
	}
	for _, r := range refusals {
		if !r.when(s) {
			continue
		}
		for _, name := range r.names {
			if given[name] {
				problem(name, "%s", r.why)
			}
		}
	}
	if s.Nodes() > 0 {
		if s.CacheDurability != DurabilityDisabled && !durable.MatchString(s.CacheNodeType) {
			problem("cacheDurability", "%s needs a cacheNodeType of a family r6g to r8g, m6g to m8g, c7gn or c8gn, not %s", s.CacheDurability, s.CacheNodeType)
		}
		if s.CacheDurability != DurabilityDisabled && s.CacheReplicas == 0 {
			problem("cacheDurability", "%s needs cacheReplicas of 1 or more", s.CacheDurability)
		}
		if s.MinReplicas > s.CacheReplicas {
			problem("minReplicas", "%d: the cache has %d replicas (cacheReplicas), so every record would become a direct record", s.MinReplicas, s.CacheReplicas)
		}
		if s.Nodes() > maxNodes {
			problem("cacheShards", "%d with %d cacheReplicas are %d nodes, and a cluster has at most %d", s.CacheShards, s.CacheReplicas, s.Nodes(), maxNodes)
		}
		if s.WaitReplicas > s.CacheReplicas {
			problem("waitReplicas", "%d: the cache has %d replicas (cacheReplicas), so no push would ever be confirmed", s.WaitReplicas, s.CacheReplicas)
		}
	}
	if s.StreamDrainers > s.DrainerConcurrency {
		problem("streamDrainers", "%d: more than drainerConcurrency, %d, allows for all streams", s.StreamDrainers, s.DrainerConcurrency)
	}
	if s.MaxDecodedBytes < s.MaxBodyBytes {
		problem("maxDecodedBytes", "%d: less than maxBodyBytes, %d", s.MaxDecodedBytes, s.MaxBodyBytes)
	}
	if hours := s.VerifyHours + VerifierLogHours; s.Verifies() && hours > s.LogRetentionDays*24 {
		problem("verifyHours", "%d: needs %d hours of the bridge's log, but logRetentionDays, %d, keeps fewer", s.VerifyHours, hours, s.LogRetentionDays)
	}
	if (s.DomainName == "") != (s.CertificateARN == "") {
		problem("domainName", "needs certificateArn, and certificateArn needs domainName")
	}
	return problems
}
