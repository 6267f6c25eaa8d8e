package metric

import "strings"

// declared holds all metrics in the order of their declaration.
var declared []Metric

func declare(m Metric) Metric {
	declared = append(declared, m)
	return m
}

// Metrics of ingest.
var (
	Accepted      = declare(Metric{"Accepted", Count, Sum, OnRequest, "ingest", "records answered with 202"})
	AcceptedBytes = declare(Metric{"AcceptedBytes", Bytes, Sum, OnRequest, "ingest", "bytes of the bodies of accepted records, as kept"})
	PushLatency   = declare(Metric{"PushLatency", Milliseconds, Distribution, Never, "ingest", "duration of a push to the queue, successful or not"})

	Replayed           = declare(Metric{"Replayed", Count, Sum, OnRequest, "ingest", "records of repeated requests with an idempotency key, which were stored before"})
	UndeclaredEncoding = declare(Metric{"UndeclaredEncoding", Count, Sum, OnRequest, "ingest", "accepted bodies of `lines` streams that begin like gzip or zstd but have no Content-Encoding"})

	archived = declareByName(func(reason, name string) Metric {
		return Metric{"Archived" + name, Count, Sum, OnRequest, "ingest", "direct records with reason `" + reason + "`"}
	}, "oversize", "fallback", "overflow")

	refused = declareByName(func(code, name string) Metric {
		means := "requests refused with code `" + code + "`"
		if code == other {
			means = "requests refused with a code that has no metric of its own"
		}
		return Metric{"Refused" + name, Count, Sum, Never, "ingest", means}
	}, "unauthorized", "forbidden", "unknown_stream", "not_found", "method_not_allowed", "empty_body", "bad_encoding", "bad_partition_key",
		"bad_idempotency_key", "not_a_lines_stream", "body_too_large", "too_many_lines", "unsupported_encoding", "unsupported_type", "idempotency_key_reused",
		"unavailable", other)
)

// Metrics of the drainer and the bridge.
var (
	QueueDepth           = declare(Metric{"QueueDepth", Count, Snapshot, Always, "drainer", "records waiting in the queue, once a minute; a stream without records has no value"})
	OldestRecordAge      = declare(Metric{"OldestRecordAge", Seconds, Snapshot, Always, "drainer", "age of the oldest record in the queue and its claims, once a minute; a stream without records has no value"})
	ClaimsOutstanding    = declare(Metric{"ClaimsOutstanding", Count, Snapshot, OnRequest, "drainer", "claims that drainers hold, once a minute; a stream without records has no value"})
	EvictionPolicyUnsafe = declare(Metric{"EvictionPolicyUnsafe", Count, Snapshot, Never, "drainer", "1 if the eviction policy of Redis can drop records, else 0; no value if Redis does not report the policy"})
	Claimed              = declare(Metric{"Claimed", Count, Sum, OnRequest, "drainer", "records taken from the queue"})
	Forwarded            = declare(Metric{"Forwarded", Count, Sum, OnRequest, "drainer", "records that Kinesis accepted; of a stream without a tap, records that Firehose accepted"})
	Retried              = declare(Metric{"Retried", Count, Sum, OnRequest, "drainer", "records that were sent to Kinesis again, or packed records that the drainer sent to Firehose again"})
	Throttled            = declare(Metric{"Throttled", Count, Sum, OnRequest, "drainer", "records that Kinesis refused for lack of throughput, or packed records that Firehose refused to the drainer for that reason"})
	TapAge               = declare(Metric{"TapAge", Seconds, Distribution, OnRequest, "drainer", "longest time from the receipt of a record until Kinesis had it, one value for each invocation and stream"})
	Lost                 = declare(Metric{"Lost", Count, Sum, Never, "drainer", "accepted records that are neither in the queue nor forwarded nor dead letters; after a reset of Redis the last known backlog, an estimate that each drainer process counts once"})
	DeadLettered         = declare(Metric{"DeadLettered", Count, Sum, Always, "drainer, bridge", "dead letters, which are written under `failed/`"})
	Bridged              = declare(Metric{"Bridged", Count, Sum, OnRequest, "bridge, drainer", "records that Firehose accepted; the drainer counts those of streams without a tap"})
	Packed               = declare(Metric{"Packed", Count, Sum, OnRequest, "bridge, drainer", "Firehose records into which those records were packed"})
	Undelivered          = declare(Metric{"Undelivered", Count, Sum, OnRequest, "bridge", "records that Firehose did not accept and that will be redelivered"})
	BlockedAge           = declare(Metric{"BlockedAge", Seconds, Distribution, Never, "bridge", "how long Firehose has refused the record with which a shard's batch begins, one value for each further try"})
	FirehoseAge          = declare(Metric{"FirehoseAge", Seconds, Distribution, OnRequest, "bridge, drainer", "time from the arrival of a batch's first record on the tap until Firehose had the batch; of a stream without a tap, longest time from the receipt of a record until Firehose had it"})
)

// Metrics of the verifier, written once for each run that verified anything.
var (
	Verified    = declare(Metric{"Verified", Count, Sum, Never, "verifier", "records that are in the archive exactly as the bridge sent them"})
	Missing     = declare(Metric{"Missing", Count, Sum, Never, "verifier", "records that the bridge sent and that are in no object"})
	Differences = declare(Metric{"Differences", Count, Snapshot, Never, "verifier", "differences found: records missing or duplicated, bytes changed or of unknown origin, unreadable objects, inconsistent counters"})
)

// other is the code under which all codes without a metric of their own are
// counted, so that the number of metrics is bounded.
const other = "other"

// Archived returns the metric of direct records with a reason.
func Archived(reason string) Metric { return archived[reason] }

// Refused returns the metric of requests that were refused with a code.
func Refused(code string) Metric {
	if m, ok := refused[code]; ok {
		return m
	}
	return refused[other]
}

func declareByName(metric func(code, name string) Metric, codes ...string) map[string]Metric {
	metrics := make(map[string]Metric)
	for _, code := range codes {
		var name strings.Builder
		for word := range strings.SplitSeq(code, "_") {
			name.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
		metrics[code] = declare(metric(code, name.String()))
	}
	return metrics
}
