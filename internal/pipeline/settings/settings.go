// Package settings declares the settings of a deployment: their names, defaults
// and bounds, and how they are read from the context of the CDK app. It does not
// import the CDK, so that the operator's tools can use it too.
package settings

import (
	"slices"
	"strings"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Settings are the choices of the person who deploys. They arrive as CDK context:
// `cdk deploy -c name=value`, or under "context" in cdk.json.
type Settings struct {
	// Name is the name of the deployment, StreamsFile the path of streams.json,
	// relative to the root of the repository.
	Name, StreamsFile string
	// Version is the version of the sources, which the functions log.
	Version string
	// Architecture is ARM64 or X86.
	Architecture string
	// Profile is ProfileStandard or ProfileSmall. It only changes defaults.
	Profile string

	// CacheNodeType, CacheShards, CacheReplicas and CacheDurability describe the
	// cache that the stack creates.
	CacheNodeType              string
	CacheShards, CacheReplicas int
	CacheDurability            string
	// Cache is CacheNodes or CacheServerless, CacheMaxGB the data limit of the latter.
	Cache      string
	CacheMaxGB int
	// WaitReplicas is the number of replicas that must have a record before the
	// answer 202.
	WaitReplicas int
	// MinReplicas is the number of connected replicas below which Redis refuses writes.
	MinReplicas int
	// BypassQueue makes ingest write every record as a direct record.
	BypassQueue bool

	// RedisURL is the URL of an existing Redis; empty if the stack creates a cache.
	RedisURL string
	// RedisSecret is the ARN of the secret with the credentials for RedisURL.
	RedisSecret string
	// VPCID is the ID of an existing VPC.
	VPCID string
	// Egress is EgressEndpoints, EgressEndpoint, EgressIPv6 or EgressBoth.
	Egress string

	// Front is FrontAPI or FrontURL.
	Front string
	// CORSOrigins are the origins that may call the API, separated by commas.
	CORSOrigins string
	// IdempotencyMinutes is the time for which idempotency keys are remembered.
	IdempotencyMinutes int

	// ThrottleRate and ThrottleBurst are requests a second and requests at once.
	ThrottleRate, ThrottleBurst int
	// IngestConcurrency is the reserved concurrency of ingest; 0 reserves none.
	IngestConcurrency int
	// IngestMemory, DrainerMemory and BridgeMemory are in MB.
	IngestMemory, DrainerMemory, BridgeMemory int
	// DrainerConcurrency bounds the drainers of all streams, StreamDrainers those
	// of one stream.
	DrainerConcurrency, StreamDrainers int
	// MaxBodyBytes bounds a body as received, MaxDecodedBytes a decoded body.
	MaxBodyBytes, MaxDecodedBytes int

	LogRetentionDays int
	// FailedExpiresDays is the age at which dead letters are deleted; 0 keeps them.
	FailedExpiresDays int
	Tracing           bool
	// StreamMetrics is env.FewStreamMetrics or env.AllStreamMetrics.
	StreamMetrics string
	// VerifyHours is the number of hours that the verifier verifies in one run; 0
	// creates no verifier.
	VerifyHours int
	// Lake creates tables of the streams in the AWS Glue Data Catalog, and LakeFrom is
	// the first day of their partitions, as in 2026-01-31.
	Lake     bool
	LakeFrom string
	// ObjectsTopic creates a topic that announces new objects of the archive.
	ObjectsTopic  bool
	AlarmTopicARN string
	// DomainName and CertificateARN are both set or both empty.
	DomainName, CertificateARN string
}

// Values of Settings.Architecture.
const (
	ARM64 = "arm64"
	X86   = "x86_64"
)

// Values of Settings.Profile.
const (
	ProfileStandard = "standard"
	ProfileSmall    = "small"
)

// Values of Settings.Cache.
const (
	CacheNodes      = "nodes"
	CacheServerless = "serverless"
)

// Values of Settings.Egress.
const (
	EgressEndpoints = "endpoints" // interface endpoints in every zone
	EgressEndpoint  = "endpoint"  // interface endpoints in one zone
	EgressIPv6      = "ipv6"      // an egress-only internet gateway
	EgressBoth      = "both"      // both, while a deployment changes from one to the other
)

// Values of Settings.Front.
const (
	FrontAPI = "api" // API Gateway, an HTTP API
	FrontURL = "url" // a Lambda function URL
)

// Values of Settings.CacheDurability.
const (
	DurabilityDisabled = "disabled"
	DurabilityAsync    = "async"
	DurabilitySync     = "sync"
)

// VerifierLogHours is the number of hours of the bridge's log that the verifier
// reads in addition to the hours that it verifies: the hour before them, and up to two
// hours after them, until it runs.
const VerifierLogHours = 3

// verifyHours are the divisors of a day, so that each window begins where the last
// one ended.
var verifyHours = []int{1, 2, 3, 4, 6, 8, 12, 24}

// VerifyHours returns the values of the setting verifyHours that create a verifier.
func VerifyHours() []int { return slices.Clone(verifyHours) }

// CreatesCache reports whether the stack creates the Redis of the queue.
func (s Settings) CreatesCache() bool { return s.RedisURL == "" }

// Nodes returns the number of nodes of the cache, 0 if the stack creates none.
func (s Settings) Nodes() int {
	if !s.CreatesCache() || s.Cache == CacheServerless {
		return 0
	}
	return s.CacheShards * (1 + s.CacheReplicas)
}

// ManyStreams is the number of streams above which the cache has fewer alarms, because
// CloudFormation accepts 2,500 resources and a stream has eight.
const ManyStreams = 250

// WatchesNodes reports whether each node of the cache has an alarm of its own beside that
// number of streams.
func (s Settings) WatchesNodes(streams int) bool {
	if streams > ManyStreams {
		return s.Nodes() <= 4
	}
	return s.Nodes() <= 20
}

// WatchesShards is WatchesNodes for the shards of the cache.
func (s Settings) WatchesShards(streams int) bool {
	if streams > ManyStreams {
		return s.CacheShards <= 3
	}
	return s.CacheShards <= 90
}

// Serverless reports whether the stack creates a serverless cache.
func (s Settings) Serverless() bool { return s.CreatesCache() && s.Cache == CacheServerless }

// Origins returns the origins that may call the API.
func (s Settings) Origins() []string {
	if s.CORSOrigins == "" {
		return nil
	}
	return strings.Split(s.CORSOrigins, ",")
}

// InVPC reports whether ingest and the drainer run in a VPC.
func (s Settings) InVPC() bool { return s.CreatesCache() || s.VPCID != "" }

// CreatesVPC reports whether the stack creates the VPC.
func (s Settings) CreatesVPC() bool { return s.CreatesCache() && s.VPCID == "" }

// IPv6 reports whether the functions in the VPC reach AWS services over IPv6.
func (s Settings) IPv6() bool {
	return s.CreatesVPC() && (s.Egress == EgressIPv6 || s.Egress == EgressBoth)
}

// InterfaceEndpoints returns the number of interface endpoints of a deployment with these
// streams, counted in each zone.
func (s Settings) InterfaceEndpoints(streams []stream.Stream) int {
	n := len(EndpointServices(streams))
	switch {
	case !s.CreatesVPC() || s.Egress == EgressIPv6:
		return 0
	case s.Egress == EgressEndpoint:
		return n
	default:
		return n * Zones
	}
}

// EndpointServices returns the services that the functions in the VPC reach through
// interface endpoints. The drainer puts records to Kinesis, or to Firehose for a stream
// that does not feed a tap. The functions reach S3 through a gateway endpoint.
func EndpointServices(streams []stream.Stream) []string {
	services := []string{"sqs", "secretsmanager"}
	if len(streams) == 0 || slices.ContainsFunc(streams, stream.Stream.FeedsTap) {
		services = append(services, "kinesis-streams")
	}
	if slices.ContainsFunc(streams, func(s stream.Stream) bool { return !s.FeedsTap() }) {
		services = append(services, "kinesis-firehose")
	}
	return services
}

// Verifies reports whether the stack has a verifier.
func (s Settings) Verifies() bool { return s.VerifyHours > 0 }

// Constants of the stack that the operator's tools use too.
const (
	// BridgeRecords and BridgeWindow, in seconds, bound a batch of the bridge.
	BridgeRecords = 10_000
	BridgeWindow  = 5
	// BridgeParallelization is the number of batches of a shard that run at once.
	BridgeParallelization = 1
	// SweepSeconds is the time between two sweeps of the drainer.
	SweepSeconds = 60
	// MaxStreams is the number of streams that fit into one deployment.
	MaxStreams = 300
	// Zones is the number of Availability Zones of the VPC that the stack creates.
	Zones = 2
)
