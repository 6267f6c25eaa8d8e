package main

import "math"

// newAPI returns API Gateway, including the data of the responses. Its access log is
// part of CloudWatch.
func newAPI(l Load) API {
	units := (l.Size + meteredBytes - 1) / meteredBytes
	month := l.Rate * monthSeconds
	return API{
		RequestsPerSecond: l.peak(), Units: units,
		Dollars: priced(apiRequests, month*float64(units)) + priced(transferOut, month*responseBytes/gib),
	}
}

// newIngest returns ingest, with one invocation for each record. Lambda bills whole
// milliseconds.
func newIngest(l Load) Function {
	wait := redisWait
	if l.oversize() {
		wait = s3PutWait
	}
	ms := math.Ceil(ingestSeconds.at(l.Size)*1000/min(1, vCPUs(l.IngestMemory)) + wait)
	f := Function{InvocationsPerSecond: l.Rate, BilledMillis: ms, Concurrency: l.Rate * ms / 1000, Memory: l.IngestMemory}
	f.Dollars = lambdaDollars(f.InvocationsPerSecond, f.Concurrency, f.Memory)
	return f
}
