package metric

import "strings"

// declared are all metrics in the order of their declaration.
var declared []Metric

func declare(m Metric) Metric {
	declared = append(declared, m)
	return m
}

// Of ingest.
var (
	Accepted      = declare(Metric{"Accepted", Count, Sum, OnRequest, "ingest", "records answered with 202"})
	AcceptedBytes = declare(Metric{"AcceptedBytes", Bytes, Sum, OnRequest, "ingest", "bytes of their bodies as kept"})
	PushLatency   = declare(Metric{"PushLatency", Milliseconds, Distribution, Never, "ingest", "how long a push to the queue took, whether it worked or not"})

	archived = declareByName(func(reason, name string) Metric {
		return Metric{"Archived" + name, Count, Sum, OnRequest, "ingest", "accepted records that went straight to the archive, reason `" + reason + "`"}
	}, "oversize", "fallback", "overflow")

	refused = declareByName(func(code, name string) Metric {
		means := "requests refused with code `" + code + "`"
		if code == other {
			means = "requests refused with a code that has no metric of its own"
		}
		return Metric{"Refused" + name, Count, Sum, Never, "ingest", means}
	}, "unauthorized", "forbidden", "unknown_stream", "not_found", "method_not_allowed", "empty_body", "bad_encoding", "bad_partition_key",
		"body_too_large", "unsupported_encoding", "unavailable", other)
)

// Of the drainer, and of the bridge.
var (
	QueueDepth           = declare(Metric{"QueueDepth", Count, Snapshot, Always, "drainer", "records waiting in the queue, once a minute"})
	OldestRecordAge      = declare(Metric{"OldestRecordAge", Seconds, Snapshot, Always, "drainer", "age of the oldest record in queue and claims, 0 for none, once a minute"})
	ClaimsOutstanding    = declare(Metric{"ClaimsOutstanding", Count, Snapshot, OnRequest, "drainer", "claims that drainers hold, once a minute"})
	EvictionPolicyUnsafe = declare(Metric{"EvictionPolicyUnsafe", Count, Snapshot, Never, "drainer", "1 when the eviction policy of Redis may drop records, else 0; nothing when Redis does not tell"})
	Claimed              = declare(Metric{"Claimed", Count, Sum, OnRequest, "drainer", "records taken from the queue"})
	Forwarded            = declare(Metric{"Forwarded", Count, Sum, OnRequest, "drainer", "records that Kinesis took"})
	Retried              = declare(Metric{"Retried", Count, Sum, OnRequest, "drainer", "records sent to Kinesis again"})
	Throttled            = declare(Metric{"Throttled", Count, Sum, OnRequest, "drainer", "records that Kinesis refused for lack of throughput"})
	TapAge               = declare(Metric{"TapAge", Seconds, Distribution, OnRequest, "drainer", "longest time from a record's receipt until Kinesis had it, of each invocation and stream"})
	DeadLettered         = declare(Metric{"DeadLettered", Count, Sum, Always, "drainer, bridge", "records put aside under `failed/`"})
	Bridged              = declare(Metric{"Bridged", Count, Sum, OnRequest, "bridge", "records that Firehose took"})
	Packed               = declare(Metric{"Packed", Count, Sum, OnRequest, "bridge", "Firehose records that they were packed into"})
	Undelivered          = declare(Metric{"Undelivered", Count, Sum, OnRequest, "bridge", "records that Firehose did not take, and that come again"})
	FirehoseAge          = declare(Metric{"FirehoseAge", Seconds, Distribution, OnRequest, "bridge", "time from a batch's first record being on the tap until Firehose had the batch"})
)

// Of the verifier, once for each run that could verify anything.
var (
	Verified    = declare(Metric{"Verified", Count, Sum, Never, "verifier", "records that stand in the archive as the bridge sent them"})
	Missing     = declare(Metric{"Missing", Count, Sum, Never, "verifier", "records that the bridge sent and that stand in no object"})
	Differences = declare(Metric{"Differences", Count, Snapshot, Never, "verifier", "what is not as it should be: records missing or there twice, bytes changed or of unknown origin, objects that cannot be read, counters that do not add up; 0 for none"})
)

// other is the code of what is counted together, so that the number of metrics
// is bounded.
const other = "other"

// Archived is the metric of records that went straight to the archive for a
// reason.
func Archived(reason string) Metric { return archived[reason] }

// Refused is the metric of requests that were refused with a code.
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
