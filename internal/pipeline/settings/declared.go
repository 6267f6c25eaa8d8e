package settings

import (
	"slices"
	"strconv"

	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Setting is one setting: its name in the context, its default as it would be
// written there, and its meaning in Markdown.
type Setting struct {
	Name, Default, Meaning string
	// Min and Max are the bounds of a setting that is a number, else 0.
	Min, Max int
	// DefaultText describes, in Markdown, a default that depends on other settings.
	DefaultText string

	read func(s *Settings, value string) error
	// defaultFor returns a default that depends on the settings that are declared
	// before this one.
	defaultFor func(s Settings) string
}

// All returns all settings in the order of the reference.
func All() []Setting { return slices.Clone(declared) }

// Find returns the setting of a name.
func Find(name string) (Setting, bool) {
	i := slices.IndexFunc(declared, func(d Setting) bool { return d.Name == name })
	if i < 0 {
		return Setting{}, false
	}
	return declared[i], true
}

// number declares a setting that is a whole number.
func number(name string, byDefault, low, high int, field func(*Settings) *int, meaning string) Setting {
	return Setting{Name: name, Default: strconv.Itoa(byDefault), Meaning: meaning, Min: low, Max: high, read: between(field, low, high)}
}

// dependent gives a setting a default that depends on other settings.
func dependent(s Setting, text string, byDefault func(s Settings) string) Setting {
	s.DefaultText, s.defaultFor = text, byDefault
	return s
}

// small returns the default of a setting that ProfileSmall changes.
func small(standard, small string) func(s Settings) string {
	return func(s Settings) string {
		if s.Profile == ProfileSmall {
			return small
		}
		return standard
	}
}

// Defaults of the settings that are variables of a function.
var (
	ingestDefaults  = env.Defaults(env.ParseIngest)
	drainerDefaults = env.Defaults(env.ParseDrainer)
)

var declared = []Setting{
	{
		Name: "name", Default: "datasink",
		Meaning: "Name of the deployment. The names of all its resources contain it, so two deployments in one account and Region need different names.",
		read:    func(s *Settings, v string) error { s.Name = v; return stream.ValidateDeployment(v) },
	},
	{
		Name: "streams", Default: "streams.json",
		Meaning: "Path of the list of streams, relative to the root of the repository.",
		read:    text(func(s *Settings) *string { return &s.StreamsFile }),
	},
	{
		Name: "version", Default: "",
		Meaning: "Version that the functions log when they start. `make` sets it to the tag or the commit of the sources.",
		read:    matching(func(s *Settings) *string { return &s.Version }, `^[0-9A-Za-z.+-]{1,64}$`, "letters, digits, dots, hyphens and plus signs"),
	},
	{
		Name: "architecture", Default: ARM64,
		Meaning: "Architecture of the functions: `arm64`, which costs a fifth less, or `x86_64`.",
		read:    oneOf(func(s *Settings) *string { return &s.Architecture }, ARM64, X86),
	},
	{
		Name: "profile", Default: ProfileStandard,
		Meaning: "`small` changes the defaults of `front`, `cache` and `egress` to the cheapest values. Each of them can still be set.",
		read:    oneOf(func(s *Settings) *string { return &s.Profile }, ProfileStandard, ProfileSmall),
	},
	{
		Name: "redisUrl",
		Meaning: "URL of an existing Redis: `rediss://host:port`, with `?cluster=true` for a cluster. `redis://` is not encrypted. The stack then creates no cache and, without `vpcId`, no VPC. " +
			"This Redis must never evict keys: set `maxmemory-policy noeviction`.",
		read: readRedisURL,
	},
	{
		Name:    "redisSecret",
		Meaning: "ARN of the secret with the password for `redisUrl`, or with a JSON object of `username` and `password`. The secret must be encrypted with the default key of the account.",
		read:    matching(func(s *Settings) *string { return &s.RedisSecret }, `^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+$`, "the ARN of a secret"),
	},
	dependent(Setting{
		Name:    "cache",
		Meaning: "`nodes`: a Valkey cache of nodes. `serverless`: ElastiCache Serverless for Valkey, $6 a month and more with the amount of waiting data, good for up to about 1,000 records/s.",
		read:    oneOf(func(s *Settings) *string { return &s.Cache }, CacheNodes, CacheServerless),
	}, "`nodes`; `serverless` with `profile=small`", small(CacheNodes, CacheServerless)),
	number("cacheMaxGB", 1, 1, 5_000, func(s *Settings) *int { return &s.CacheMaxGB },
		"Data limit of a serverless cache in GB, which bounds its cost: $61 a month for each GB that is always full. When the limit is reached, records become direct records."),
	{
		Name: "cacheNodeType", Default: "cache.t4g.small",
		Meaning: "Node type of the Valkey cache that holds the queues. The default holds about 1 GB of waiting records and costs about $19 a month for each node. The number of nodes is `cacheShards` × (1 + `cacheReplicas`).",
		read:    matching(func(s *Settings) *string { return &s.CacheNodeType }, `^cache\.[a-z0-9]+\.[a-z0-9]+$`, "a node type as in cache.t4g.small"),
	},
	number("cacheShards", 1, 1, 500, func(s *Settings) *int { return &s.CacheShards },
		"Number of shards of the cache. The streams are distributed over them. The number can be changed while the deployment runs; a queue of more than 256 MB does not move. A cluster has at most 90 nodes unless the quota is increased."),
	number("cacheReplicas", 1, 0, 5, func(s *Settings) *int { return &s.CacheReplicas },
		"Number of replicas of each shard, in another Availability Zone. With 0, the loss of a node loses the records that waited on it, and CloudFormation cannot change the cache later: create a new deployment instead."),
	{
		Name: "cacheDurability", Default: DurabilityDisabled,
		Meaning: "`disabled`: waiting records are in memory and reach the replicas shortly after the answer. `async`: also in a log over several Availability Zones, up to 10 s later. `sync`: in that log before the answer. " +
			"`async` and `sync` need an m, r or c node type and can be chosen only when the cache is created.",
		read: oneOf(func(s *Settings) *string { return &s.CacheDurability }, DurabilityDisabled, DurabilityAsync, DurabilitySync),
	},
	number("waitReplicas", 0, 0, 5, func(s *Settings) *int { return &s.WaitReplicas },
		"Number of replicas that must have a record before it is answered with 202. If fewer confirm it in time, the record becomes a direct record."),
	dependent(number("minReplicas", 0, 0, 5, func(s *Settings) *int { return &s.MinReplicas },
		"Number of connected replicas, at most 2 s behind, without which a node refuses writes. Records then become direct records, and the backlog waits. It bounds the records that a network partition loses."),
		"`1` with two or more `cacheReplicas`, else `0`", func(s Settings) string {
			if s.Nodes() > 0 && s.CacheReplicas >= 2 {
				return "1"
			}
			return "0"
		}),
	{
		Name: "bypassQueue", Default: "false",
		Meaning: "`true`: ingest writes every record as a direct record, while the drainer empties the queue. Used to change Redis on a live deployment, see [Change Redis](#change-redis).",
		read:    boolean(func(s *Settings) *bool { return &s.BypassQueue }),
	},
	{
		Name: "vpcId",
		Meaning: "ID of an existing VPC, whose private subnets are used. They must reach S3, SQS, Secrets Manager, Kinesis and, for streams without a tap, Firehose through endpoints or NAT. " +
			"By default the stack creates a VPC with two Availability Zones and without NAT. Its three interface endpoints cost about $44 a month; if some streams have a tap and others do not, a fourth costs $15.",
		read: matching(func(s *Settings) *string { return &s.VPCID }, `^vpc-[0-9a-f]{8,17}$`, "the ID of a VPC as in vpc-0123456789abcdef0"),
	},
	dependent(Setting{
		Name: "egress",
		Meaning: "How ingest and the drainer reach SQS, Kinesis, Firehose and Secrets Manager from the VPC of the stack. `endpoints`: interface endpoints in both zones. `endpoint`: in one zone, $22 a month less; if that zone fails, wake-ups and secrets fail with it. " +
			"`ipv6`: an egress-only internet gateway, $44 a month less; the functions can then open connections to port 443 of any IPv6 address. `both`: interface endpoints and the gateway, during a change from one to the other.",
		read: oneOf(func(s *Settings) *string { return &s.Egress }, EgressEndpoints, EgressEndpoint, EgressIPv6, EgressBoth),
	}, "`endpoints`; `ipv6` with `profile=small`", small(EgressEndpoints, EgressIPv6)),
	dependent(Setting{
		Name: "front",
		Meaning: "What clients call. `api`: API Gateway, an HTTP API. `url`: a Lambda function URL, which has no fee. It has no custom domain, access log or throttle of its own: `ingestConcurrency` bounds it, and clients get 429 above it. " +
			"Another value changes the URL of the API.",
		read: oneOf(func(s *Settings) *string { return &s.Front }, FrontAPI, FrontURL),
	}, "`api`; `url` with `profile=small`", small(FrontAPI, FrontURL)),
	{
		Name:    "corsOrigins",
		Meaning: "Origins of web pages that may call the API, separated by commas, as in `https://app.example.com`. `*` is not accepted. A password in a page is public: create a client of its own with one stream.",
		read:    readOrigins,
	},
	number("idempotencyMinutes", int(ingestDefaults.IdempotencyWindow.Minutes()), 1, 1_440, func(s *Settings) *int { return &s.IdempotencyMinutes },
		"Minutes for which an idempotency key is remembered, or until 100,000 newer keys of its stream exist."),
	number("throttleRate", 5_000, 1, 1_000_000, func(s *Settings) *int { return &s.ThrottleRate },
		"Requests a second that the API accepts. It answers 429 to requests above this rate, and the original clients do not retry. The default limit of an account is 10,000."),
	number("throttleBurst", 5_000, 1, 1_000_000, func(s *Settings) *int { return &s.ThrottleBurst },
		"Requests that the API accepts at once above that rate."),
	dependent(number("ingestConcurrency", 0, 0, 100_000, func(s *Settings) *int { return &s.IngestConcurrency },
		"Concurrent executions that are reserved for ingest; they are also its limit. 0 reserves none. The account must keep 100 unreserved, so a new account may have to set 0."),
		"`0`; `100` with `front=url`", func(s Settings) string {
			if s.Front == FrontURL {
				return "100"
			}
			return "0"
		}),
	number("ingestMemory", 256, MinMemory, MaxMemory, func(s *Settings) *int { return &s.IngestMemory },
		"Memory of ingest in MB. CPU grows in proportion. The default is the cheapest size with room for the largest bodies: raise it together with `maxDecodedBytes`, or for faster answers."),
	number("drainerMemory", 256, MinMemory, MaxMemory, func(s *Settings) *int { return &s.DrainerMemory },
		"Memory of the drainer in MB. A drainer moves about 28,000 records of 1 KiB a second with the default, and more in proportion to its memory."),
	number("bridgeMemory", 128, MinMemory, MaxMemory, func(s *Settings) *int { return &s.BridgeMemory },
		"Memory of the bridge in MB. One execution serves one shard: with 128 MB it moves seven times what a shard can bring."),
	number("drainerConcurrency", 20, 2, 1_000, func(s *Settings) *int { return &s.DrainerConcurrency },
		"Number of drainers that SQS may run at once, for all streams together."),
	number("streamDrainers", drainerDefaults.MaxDrainers, 1, 1_000, func(s *Settings) *int { return &s.StreamDrainers },
		"Number of drainers that one stream may have at once."),
	number("maxBodyBytes", ingestDefaults.MaxBodyBytes, 1, 4_500_000, func(s *Settings) *int { return &s.MaxBodyBytes },
		"Size of the largest body as received. It reaches ingest in base64, in an event of at most 6 MB."),
	number("maxDecodedBytes", ingestDefaults.MaxDecodedBytes, 1, 64<<20, func(s *Settings) *int { return &s.MaxDecodedBytes },
		"Size of the largest body after content decoding."),
	{
		Name: "logRetentionDays", Default: "30",
		Meaning: "Days for which logs are kept, one of the values that CloudWatch Logs accepts.",
		read:    among(func(s *Settings) *int { return &s.LogRetentionDays }, retentionDays),
	},
	number("failedExpiresDays", 0, 0, 36_500, func(s *Settings) *int { return &s.FailedExpiresDays },
		"Days after which objects under `failed/` are deleted; 0 keeps them forever."),
	{
		Name: "tracing", Default: "false",
		Meaning: "`true`: the functions send X-Ray traces, which cost about $5 for each million.",
		read:    boolean(func(s *Settings) *bool { return &s.Tracing }),
	},
	{
		Name: "streamMetrics", Default: env.FewStreamMetrics,
		Meaning: "`few`: each stream has the three metrics that alarms and operators need most. `all`: each stream has every metric that a stream can have. The table of metrics states the cost.",
		read:    oneOf(func(s *Settings) *string { return &s.StreamMetrics }, env.FewStreamMetrics, env.AllStreamMetrics),
	},
	{
		Name: "verifyHours", Default: "0",
		Meaning: "Hours that the verifier verifies in one run, and the time between two runs: 1, 2, 3, 4, 6, 8, 12 or 24. 0 creates no verifier.",
		read:    among(func(s *Settings) *int { return &s.VerifyHours }, append([]int{0}, verifyHours...)),
	},
	{
		Name: "lake", Default: "false",
		Meaning: "`true`: a database in the AWS Glue Data Catalog, with a [table](#tables-and-notifications) of each stream for Athena. It costs nothing without queries.",
		read:    boolean(func(s *Settings) *bool { return &s.Lake }),
	},
	{
		Name: "lakeFrom", Default: stream.FirstDay,
		Meaning: "First day of the tables of `lake`. A query without a condition on `dt` lists 24 folders for each day since then.",
		read:    readDay,
	},
	{
		Name: "objectsTopic", Default: "false",
		Meaning: "`true`: an SNS topic with [notifications](#tables-and-notifications) of new objects and manifests.",
		read:    boolean(func(s *Settings) *bool { return &s.ObjectsTopic }),
	},
	{
		Name:    "alarmTopicArn",
		Meaning: "ARN of the SNS topic, in the same Region, that is notified when an alarm starts and ends. Without it, alarms are only visible in CloudWatch.",
		read:    matching(func(s *Settings) *string { return &s.AlarmTopicARN }, `^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$`, "the ARN of an SNS topic"),
	},
	{
		Name:    "domainName",
		Meaning: "Custom host name of the API. Create a DNS record from it to the output `ApiDomainTarget`.",
		read:    matching(func(s *Settings) *string { return &s.DomainName }, `^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$`, "a host name as in sink.example.com"),
	},
	{
		Name:    "certificateArn",
		Meaning: "ARN of the certificate for `domainName`, in the same Region.",
		read:    matching(func(s *Settings) *string { return &s.CertificateARN }, `^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]+$`, "the ARN of a certificate"),
	},
}

// MinMemory and MaxMemory bound the memory of a function, in MB.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
const (
	MinMemory = 128
	MaxMemory = 10_240
)

// retentionDays are the values that CloudWatch Logs accepts.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
var retentionDays = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
