// Package env declares the environment variables of every function. The CDK app
// sets exactly these variables, and the functions parse them with this package.
package env

import (
	"errors"
	"time"
)

// Names of the variables.
const (
	Name              = "DATASINK_NAME"
	Streams           = "DATASINK_STREAMS"
	ArchiveBucket     = "DATASINK_ARCHIVE_BUCKET"
	StreamMetrics     = "DATASINK_STREAM_METRICS"
	RedisURL          = "DATASINK_REDIS_URL"
	RedisSecret       = "DATASINK_REDIS_SECRET" // #nosec G101 -- the name of a variable.
	WaitReplicas      = "DATASINK_WAIT_REPLICAS"
	PushTimeout       = "DATASINK_PUSH_TIMEOUT"
	BypassQueue       = "DATASINK_BYPASS_QUEUE" // #nosec G101 -- the rule finds "pass" in the name.
	IdempotencyWindow = "DATASINK_IDEMPOTENCY_WINDOW"
	DualStack         = "DATASINK_DUAL_STACK"
	ClientsSecret     = "DATASINK_CLIENTS_SECRET"
	ClientsMaxAge     = "DATASINK_CLIENTS_MAX_AGE"
	ClientsMaxStale   = "DATASINK_CLIENTS_MAX_STALE"
	MaxBodyBytes      = "DATASINK_MAX_BODY_BYTES"
	MaxDecodedBytes   = "DATASINK_MAX_DECODED_BYTES"
	WakeQueueURL      = "DATASINK_WAKE_QUEUE_URL"
	WakeInterval      = "DATASINK_WAKE_INTERVAL"
	Lease             = "DATASINK_LEASE"
	ClaimRecords      = "DATASINK_CLAIM_RECORDS"
	ClaimBytes        = "DATASINK_CLAIM_BYTES"
	ClaimsInFlight    = "DATASINK_CLAIMS_IN_FLIGHT"
	ScaleOutRecords   = "DATASINK_SCALE_OUT_RECORDS"
	MaxDrainers       = "DATASINK_MAX_DRAINERS"
	PutBytes          = "DATASINK_PUT_BYTES"
	DrainerFunction   = "DATASINK_DRAINER_FUNCTION"
	Version           = "DATASINK_VERSION"
	DrainerLog        = "DATASINK_DRAINER_LOG"
	BridgeLog         = "DATASINK_BRIDGE_LOG"
	IngestLog         = "DATASINK_INGEST_LOG"
	VerifyEvery       = "DATASINK_VERIFY_EVERY"
)

// Base holds the variables that all functions have.
type Base struct {
	// Name is the deployment's name.
	Name string
	// Streams is the path of streams.json, relative to the function's folder.
	Streams string
	// ArchiveBucket is the name of the archive's bucket.
	ArchiveBucket string
	// Version is the version of the deployment, for the log; empty if unknown.
	Version string
	// AllStreamMetrics reports whether every per-stream metric is written, instead
	// of only a few.
	AllStreamMetrics bool
}

// Values of StreamMetrics.
const (
	FewStreamMetrics = "few"
	AllStreamMetrics = "all"
)

// Redis holds the address and the credentials of the queue's Redis.
type Redis struct {
	// URL is a redis:// or rediss:// URL without credentials. With ?cluster=true it
	// is the address of a cluster.
	URL string
	// Secret is the ARN or name of the secret with Redis credentials: a
	// password, or a JSON object with username and password. Empty for none.
	Secret string
}

// Wake holds the settings of wake-ups.
type Wake struct {
	// QueueURL is the URL of the SQS queue of wake-ups.
	QueueURL string
	// Interval is the minimum time between two wake-ups of one stream. It is also
	// the delivery delay of a wake-up, so it is in whole seconds.
	Interval time.Duration
}

// Ingest is the environment of the ingest function.
type Ingest struct {
	Base
	Redis Redis
	Wake  Wake
	// DualStack reports whether SQS is called at its dual-stack endpoint, which has
	// IPv6 addresses.
	DualStack bool
	// WaitReplicas is the number of replicas that must have a record before the
	// answer.
	WaitReplicas int
	// PushTimeout is the time after which a push to Redis has failed and the record
	// becomes a direct record.
	PushTimeout time.Duration
	// BypassQueue reports whether every record becomes a direct record, so that the
	// drainer can empty the queue before Redis is replaced.
	BypassQueue bool
	// IdempotencyWindow is the time for which an idempotency key is remembered.
	IdempotencyWindow time.Duration
	// ClientsSecret is the ARN or name of the secret of clients.
	ClientsSecret string
	// ClientsMaxAge is the age at which the copy of the clients' secret is refreshed
	// before the next check.
	ClientsMaxAge time.Duration
	// ClientsMaxStale is the age up to which the copy is used while Secrets Manager
	// does not answer.
	ClientsMaxStale time.Duration
	// MaxBodyBytes bounds a body as received, and MaxDecodedBytes a body after
	// content decoding.
	MaxBodyBytes, MaxDecodedBytes int
}

// Drainer is the environment of the drainer function.
type Drainer struct {
	Base
	Redis Redis
	Wake  Wake
	// DualStack reports whether SQS, Kinesis and Firehose are called at their
	// dual-stack endpoints, which have IPv6 addresses.
	DualStack bool
	// Lease is the time for which a drainer owns a claim. A put ends after three
	// quarters of it, so it must be far longer than a put takes. If a drainer stops,
	// or if the answer to a claim is lost, its records wait for this time.
	Lease time.Duration
	// ClaimRecords and ClaimBytes bound a claim. An envelope larger than ClaimBytes
	// is the only envelope of its claim.
	ClaimRecords, ClaimBytes int
	// ClaimsInFlight is the number of claims of one stream that a drainer processes
	// at once.
	ClaimsInFlight int
	// ScaleOutRecords is the depth of a queue for which one drainer is enough.
	ScaleOutRecords int
	// MaxDrainers is the maximum number of drainers of one stream at once.
	MaxDrainers int
	// PutBytes bounds one PutRecords call.
	PutBytes int
}

// Bridge is the environment of the bridge function.
type Bridge struct {
	Base
}

// Verifier is the environment of the verifier function.
type Verifier struct {
	Base
	// DrainerFunction is the name of the drainer function.
	DrainerFunction string
	// DrainerLog, BridgeLog and IngestLog are the names of the functions' log groups.
	// BridgeLog is empty in a deployment without a bridge.
	DrainerLog, BridgeLog, IngestLog string
	// Every is the time between two runs and the length of the period that each run
	// verifies, in whole hours.
	Every time.Duration
}

// ParseIngest reads the environment of ingest. Its error lists every missing or
// malformed variable.
func ParseIngest(getenv func(string) string) (Ingest, error) {
	r := reader{getenv: getenv}
	e := Ingest{
		Base:              r.base(),
		Redis:             r.redis(),
		Wake:              r.wake(),
		DualStack:         r.boolean(DualStack),
		WaitReplicas:      r.number(WaitReplicas, 0, 0),
		PushTimeout:       r.duration(PushTimeout, 250*time.Millisecond),
		BypassQueue:       r.boolean(BypassQueue),
		IdempotencyWindow: r.duration(IdempotencyWindow, time.Hour),
		ClientsSecret:     r.required(ClientsSecret),
		ClientsMaxAge:     r.duration(ClientsMaxAge, time.Minute),
		ClientsMaxStale:   r.duration(ClientsMaxStale, time.Hour),
		// An event of at most 6 MB contains the body as base64.
		MaxBodyBytes:    r.number(MaxBodyBytes, 4<<20, 1),
		MaxDecodedBytes: r.number(MaxDecodedBytes, 16<<20, 1),
	}
	return e, r.err()
}

// ParseDrainer reads the environment of the drainer. Its error lists every
// missing or malformed variable.
func ParseDrainer(getenv func(string) string) (Drainer, error) {
	r := reader{getenv: getenv}
	e := Drainer{
		Base:            r.base(),
		Redis:           r.redis(),
		Wake:            r.wake(),
		DualStack:       r.boolean(DualStack),
		Lease:           r.duration(Lease, 20*time.Second),
		ClaimRecords:    r.number(ClaimRecords, 500, 1),
		ClaimBytes:      r.number(ClaimBytes, 1<<20, 1),
		ClaimsInFlight:  r.number(ClaimsInFlight, 8, 1),
		ScaleOutRecords: r.number(ScaleOutRecords, 50_000, 1),
		MaxDrainers:     r.number(MaxDrainers, 10, 1),
		PutBytes:        r.number(PutBytes, 5<<20, 1),
	}
	return e, r.err()
}

// ParseBridge reads the environment of the bridge. Its error lists every
// missing or malformed variable.
func ParseBridge(getenv func(string) string) (Bridge, error) {
	r := reader{getenv: getenv}
	e := Bridge{Base: r.base()}
	return e, r.err()
}

// ParseVerifier reads the environment of the verifier. Its error lists every
// missing or malformed variable.
func ParseVerifier(getenv func(string) string) (Verifier, error) {
	r := reader{getenv: getenv}
	e := Verifier{
		Base:            r.base(),
		DrainerFunction: r.required(DrainerFunction),
		DrainerLog:      r.required(DrainerLog),
		BridgeLog:       r.optional(BridgeLog, ""),
		IngestLog:       r.required(IngestLog),
		Every:           r.duration(VerifyEvery, time.Hour),
	}
	if e.Every%time.Hour != 0 {
		r.problem(VerifyEvery, "%v: want whole hours", e.Every)
	}
	return e, r.err()
}

// Defaults returns what a parser returns for an empty environment: every default,
// and nothing for the required variables. For example,
// Defaults(ParseDrainer).Lease is the default lease.
func Defaults[T any](parse func(getenv func(string) string) (T, error)) T {
	// The error lists the required variables.
	e, _ := parse(func(string) string { return "" })
	return e
}

// Setting is a variable that a function reads.
type Setting struct {
	Name string
	// Default is the value of an empty or missing variable.
	Default string
	// Required reports whether the function refuses to start without the variable.
	Required bool
}

// Settings returns the variables of one function in the order in which its parser
// reads them, for example Settings(ParseIngest).
func Settings[T any](parse func(getenv func(string) string) (T, error)) []Setting {
	var settings []Setting
	// The parsers are the declaration: an empty environment makes a parser read
	// every variable.
	_, err := parse(func(name string) string {
		settings = append(settings, Setting{Name: name})
		return ""
	})
	var problems *problemsError
	if errors.As(err, &problems) {
		for i := range settings {
			settings[i].Required = problems.missing[settings[i].Name]
			settings[i].Default = problems.defaults[settings[i].Name]
		}
	}
	return settings
}
