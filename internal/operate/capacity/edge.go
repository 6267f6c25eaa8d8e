package main

import (
	"math"

	"github.com/data-sink/data-sink/internal/operate/capacity/bill"
	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// newAPI returns what clients call, including the data of the responses. The access log
// of API Gateway is part of CloudWatch. A function URL has no fee.
func newAPI(l Load) API {
	units := (l.requestBytes() + bill.MeteredBytes - 1) / bill.MeteredBytes
	month := l.requests() * bill.MonthSeconds
	a := API{RequestsPerSecond: l.peak() / float64(l.Batch), Units: units, Dollars: bill.Priced(bill.TransferOut, month*responseBytes/bill.GiB)}
	if l.stack().Front == settings.FrontAPI {
		a.Dollars += bill.Priced(bill.APIRequests, month*float64(units))
	}
	return a
}

// newIngest returns ingest, with one invocation for each request. Lambda bills whole
// milliseconds.
func newIngest(l Load) Function {
	wait := redisWait * math.Ceil(float64(l.Batch)/partEnvelopes)
	if l.oversize() {
		wait = s3PutWait
	}
	cpu := ingestSeconds.at(l.requestBytes()) + lineCPU/1e6*float64(l.Batch-1)
	ms := math.Ceil(cpu*1000/min(1, vCPUs(l.IngestMemory)) + wait)
	f := Function{InvocationsPerSecond: l.requests(), BilledMillis: ms, Concurrency: l.requests() * ms / 1000, Memory: l.IngestMemory}
	f.Dollars = bill.LambdaDollars(f.InvocationsPerSecond, f.Concurrency, f.Memory)
	return f
}
