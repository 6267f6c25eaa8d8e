package datasink

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// declared are all settings, in the order of the README's table.
var declared = []setting{
	{
		"name", "datasink",
		"The deployment's name, in the names of all its resources. Two deployments of one account and Region need two names.",
		func(s *settings, v string) error { s.name = v; return stream.ValidateDeployment(v) },
	},
	{
		"streams", "streams.json",
		"Path of the list of streams, relative to the repository's root.",
		text(func(s *settings) *string { return &s.streamsFile }),
	},
	{
		"architecture", "arm64",
		"Architecture of the functions: `arm64`, a fifth cheaper, or `x86_64`.",
		oneOf(func(s *settings) *string { return &s.architecture }, "arm64", "x86_64"),
	},
	{
		"cacheNodeType", "cache.t4g.small",
		"Node type of the queue's Valkey cache. The default holds about 1 GB of waiting records and costs about $19 a month and node; there are `cacheShards` × (1 + `cacheReplicas`) nodes.",
		matching(func(s *settings) *string { return &s.cacheNodeType }, `^cache\.[a-z0-9]+\.[a-z0-9]+$`, "a node type as in cache.t4g.small"),
	},
	{
		"cacheShards", "1",
		"Shards of the cache, over which the streams spread. Can be changed while it runs.",
		number(func(s *settings) *int { return &s.cacheShards }, 1, 500),
	},
	{
		"cacheReplicas", "1",
		"Replicas of each shard, in another Availability Zone. With 0 the loss of a node loses what waited in it.",
		number(func(s *settings) *int { return &s.cacheReplicas }, 0, 5),
	},
	{
		"cacheDurability", "disabled",
		"`disabled`: waiting records live in memory and reach replicas shortly after the answer. `async`: a log over several Availability Zones, up to 10 s behind. `sync`: in that log before the answer. The latter two need an m, r or c node type, and can be chosen only when the cache is created.",
		oneOf(func(s *settings) *string { return &s.cacheDurability }, "disabled", "async", "sync"),
	},
	{
		"waitReplicas", "0",
		"Replicas that must hold a record before it is answered with 202; otherwise it goes straight to the archive.",
		number(func(s *settings) *int { return &s.waitReplicas }, 0, 5),
	},
	{
		"redisUrl", "",
		"Use this Redis, `redis://host:port` or `rediss://host:port`, with `?cluster=true` for a cluster: the stack then creates neither cache nor, without `vpcId`, a VPC. It must never evict: `maxmemory-policy noeviction`.",
		func(s *settings, v string) error { s.redisURL = v; return checkRedisURL(v) },
	},
	{
		"redisSecret", "",
		"ARN of the secret with the password for `redisUrl`, or with a JSON object of `username` and `password`. It must be encrypted with the account's default key.",
		matching(func(s *settings) *string { return &s.redisSecret }, `^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+$`, "the ARN of a secret"),
	},
	{
		"vpcId", "",
		"Use the private subnets of this VPC. It must let them reach S3, SQS, Kinesis and Secrets Manager, by endpoints or NAT. By default the stack creates a VPC of two Availability Zones without NAT; its three interface endpoints cost about $44 a month.",
		matching(func(s *settings) *string { return &s.vpcID }, `^vpc-[0-9a-f]{8,17}$`, "a VPC's id as in vpc-0123456789abcdef0"),
	},
	{
		"throttleRate", "5000",
		"Requests a second that the API lets through; above it answers 429, and the original clients do not retry. The account's own limit is 10,000 by default.",
		number(func(s *settings) *int { return &s.throttleRate }, 1, 1_000_000),
	},
	{
		"throttleBurst", "5000",
		"Requests that may come at once above that rate.",
		number(func(s *settings) *int { return &s.throttleBurst }, 1, 1_000_000),
	},
	{
		"ingestConcurrency", "0",
		"Concurrent executions reserved for ingest, which also bound it; 0 reserves none. The account needs 100 more unreserved.",
		number(func(s *settings) *int { return &s.ingestConcurrency }, 0, 100_000),
	},
	{
		"ingestMemory", "256",
		"Memory of the ingest function in MB, which brings CPU in proportion. The default is the cheapest that has room for the largest bodies: raise it with `maxDecodedBytes`, or for fewer milliseconds an answer.",
		number(func(s *settings) *int { return &s.ingestMemory }, 128, 10_240),
	},
	{
		"drainerMemory", "256",
		"Memory of the drainer in MB, likewise. A drainer moves about 28,000 records of 1 KiB a second with the default, and in proportion with more.",
		number(func(s *settings) *int { return &s.drainerMemory }, 128, 10_240),
	},
	{
		"bridgeMemory", "128",
		"Memory of the bridge in MB, likewise. It runs once for each shard: 128 MB take seven times what a shard brings.",
		number(func(s *settings) *int { return &s.bridgeMemory }, 128, 10_240),
	},
	{
		"drainerConcurrency", "20",
		"Drainers that SQS wakes at once, for all streams together.",
		number(func(s *settings) *int { return &s.drainerConcurrency }, 2, 1000),
	},
	{
		"streamDrainers", "10",
		"Drainers that one stream may have at once.",
		number(func(s *settings) *int { return &s.streamDrainers }, 1, 1000),
	},
	{
		"maxBodyBytes", "4194304",
		"Largest body as received. It reaches ingest as base64 in at most 6 MB.",
		number(func(s *settings) *int { return &s.maxBodyBytes }, 1, 4_500_000),
	},
	{
		"maxDecodedBytes", "16777216",
		"Largest body after content decoding.",
		number(func(s *settings) *int { return &s.maxDecodedBytes }, 1, 64<<20),
	},
	{
		"logRetentionDays", "30",
		"Days for which logs are kept, by the steps that CloudWatch offers.",
		func(s *settings, v string) error {
			n, err := strconv.Atoi(v)
			if s.logRetentionDays = n; err != nil || !slices.Contains(retentionDays, n) {
				return fmt.Errorf("%q: want one of %s", v, strings.Trim(fmt.Sprint(retentionDays), "[]"))
			}
			return nil
		},
	},
	{
		"failedExpiresDays", "0",
		"Days after which objects under `failed/` are deleted; 0 keeps them for ever.",
		number(func(s *settings) *int { return &s.failedExpiresDays }, 0, 36_500),
	},
	{
		"tracing", "false",
		"`true`: X-Ray traces of the functions, about $5 for each million.",
		func(s *settings, v string) error {
			if v != "true" && v != "false" {
				return fmt.Errorf("%q: want true or false", v)
			}
			s.tracing = v == "true"
			return nil
		},
	},
	{
		"streamMetrics", env.FewStreamMetrics,
		"`all`: each stream has every metric that a stream can have, and not only the three that alarms and operators need most; see the table of metrics for what that costs.",
		oneOf(func(s *settings) *string { return &s.streamMetrics }, env.FewStreamMetrics, env.AllStreamMetrics),
	},
	{
		"verifyHours", "0",
		"Hours that the verifier, a function of its own, verifies at a time, and after which it runs again: 1, 2, 3, 4, 6, 8, 12 or 24; 0 is no verifier. See Operations.",
		readVerifyHours,
	},
	{
		"alarmTopicArn", "",
		"ARN of the SNS topic that hears of alarms going off and ending, in the same Region. Without it they only show.",
		matching(func(s *settings) *string { return &s.alarmTopicARN }, `^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$`, "the ARN of an SNS topic"),
	},
	{
		"domainName", "",
		"Host name of your own for the API. Point it at the output `ApiDomainTarget`.",
		matching(func(s *settings) *string { return &s.domainName }, `^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$`, "a host name as in sink.example.com"),
	},
	{
		"certificateArn", "",
		"ARN of the certificate for `domainName`, in the same Region.",
		matching(func(s *settings) *string { return &s.certificateARN }, `^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]+$`, "the ARN of a certificate"),
	},
}

// retentionDays are the retentions that CloudWatch Logs knows.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
var retentionDays = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// checkRedisURL keeps the value out of its errors: it may hold a password.
func checkRedisURL(value string) error {
	u, err := url.Parse(value)
	if err != nil {
		return errors.New("not a URL")
	}
	query := u.Query()
	switch cluster := query.Get("cluster"); {
	case u.Scheme != "redis" && u.Scheme != "rediss":
		return fmt.Errorf("scheme %q, want redis or rediss", u.Scheme)
	case u.User != nil:
		return errors.New("has credentials; put them into a secret and give its ARN as redisSecret")
	case u.Hostname() == "":
		return errors.New("has no host")
	case len(query) > 1 || len(query) == 1 && cluster != "true" && cluster != "false":
		return errors.New("after the question mark only cluster=true is known")
	}
	return nil
}

func text(field func(*settings) *string) func(*settings, string) error {
	return func(s *settings, v string) error { *field(s) = v; return nil }
}

func oneOf(field func(*settings) *string, allowed ...string) func(*settings, string) error {
	return func(s *settings, v string) error {
		if !slices.Contains(allowed, v) {
			return fmt.Errorf("%q: want %s", v, strings.Join(allowed, " or "))
		}
		*field(s) = v
		return nil
	}
}

func matching(field func(*settings) *string, form, want string) func(*settings, string) error {
	re := regexp.MustCompile(form)
	return func(s *settings, v string) error {
		if !re.MatchString(v) {
			return fmt.Errorf("%q: want %s", v, want)
		}
		*field(s) = v
		return nil
	}
}

func number(field func(*settings) *int, low, high int) func(*settings, string) error {
	return func(s *settings, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			return fmt.Errorf("%q: want a whole number, %d to %d", v, low, high)
		}
		*field(s) = n
		return nil
	}
}
