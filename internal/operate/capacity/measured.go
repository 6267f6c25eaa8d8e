package main

// Results of `make bench` (package internal/rig/bench), by the names of its lines and
// rows, on 2026-11-23 on two cores of a shared AMD EPYC. The model assumes that a vCPU
// of Lambda is as fast as one of these cores.
const (
	// CPU time of the process of a function for a record of 1 KiB, in us, including the
	// Runtime API: rows of the table `billed`.
	ingestCPU = 200.0 // ingest
	// lineCPU is the CPU time of a further line in a batch, in us, beside its bytes.
	lineCPU    = 0.9
	drainerCPU = 5.2 // drainer, a long backlog
	// bridgeRate is MB/s of Kinesis events on one core: bridge.rate.
	bridgeRate = 250.0
	// drainRateCPU and drainSmallCPU, in ns, are the CPU time of drainer, Redis and
	// endpoint for a record of 1 KiB and of 100 bytes: drain.rate.cpu and
	// drain.small.cpu. Their ratio gives the effect of the size on the drainer.
	drainRateCPU, drainSmallCPU = 11_237.0, 3_633.0
	// ingestCPU1MB is the time of the handler for a body of 1 MB, in ns:
	// ingest.cpu.1mb.
	ingestCPU1MB = 2_375_800.0

	// partEnvelopes is the number of envelopes that one call of Redis pushes.
	partEnvelopes = 500

	oneKiB, smallBytes, largeBytes = 1 << 10, 100, 1_000_000
)

// Measured with redis-server 7.0 on the same machine, with the scripts of package queue
// over loopback without TLS: the CPU time of Redis for push, claim and ack of one record,
// in us, at 1 KiB and at 10 KiB (16.4 + 3.2 and 52.6 + 29.0), and the memory of a queued
// envelope as a multiple of its bytes (1.06 at 100 bytes, 1.09 at 1 KiB, 1.20 at 10 KiB;
// the model uses the largest). keyMemory is the memory of an idempotency key in bytes:
// ingest.key.memory.
const (
	redisCPU1KiB, redisCPU10KiB = 19.6, 81.6
	redisMemory                 = 1.2
	keyMemory                   = 91.4
)

// Estimates of the time that a function waits for a service in the same Region, in ms.
// The table `billed` of the bench uses the same estimates.
const (
	redisWait   = 0.7  // a round trip to Redis over TLS
	s3PutWait   = 40.0 // a PutObject of a small object
	claimWait   = 20.0 // claim, PutRecords, ack
	putWait     = 60.0 // a PutRecordBatch
	drainerWait = 50.0 // the first and last claims of a wake-up, which find few records
)

// Sizes in bytes of the data that accompanies the bodies.
const (
	keyBytes          = 36   // a partition key: the ID of the record
	eventBytes        = 500  // a record in a Kinesis event, without its data in base64
	putBytes          = 60   // an entry of PutRecords, without its data and key
	responseBytes     = 400  // a response 202 with its headers
	accessLogBytes    = 400  // a line of the access log
	ingestLogBytes    = 1100 // a line of metrics, with 100 latencies
	invocationBytes   = 1600 // start and report of an invocation, and its line of metrics
	packedLogBytes    = 450  // a line `packed` of the bridge
	sweepLogBytes     = 400  // a line of metrics for a stream and sweep
	logBytesPerRecord = 26   // the overhead of a line in CloudWatch
)

// line is a linear function of the size of a body.
type line struct{ fixed, perByte float64 }

func (l line) at(bytes int) float64 { return l.fixed + l.perByte*float64(bytes) }

// through returns the line through two points.
func through(bytes1 int, cost1 float64, bytes2 int, cost2 float64) line {
	perByte := (cost2 - cost1) / float64(bytes2-bytes1)
	return line{cost1 - perByte*float64(bytes1), perByte}
}

var (
	// ingestSeconds, drainSeconds and redisSeconds are the CPU time in seconds for a
	// record with a body of that size.
	ingestSeconds = through(oneKiB, ingestCPU/1e6, largeBytes, ingestCPU/1e6+ingestCPU1MB/1e9)
	drainSeconds  = through(smallBytes, drainerCPU/1e6*drainSmallCPU/drainRateCPU, oneKiB, drainerCPU/1e6)
	redisSeconds  = through(oneKiB, redisCPU1KiB/1e6, 10*oneKiB, redisCPU10KiB/1e6)
)
