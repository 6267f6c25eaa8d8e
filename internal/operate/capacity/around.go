package main

import (
	"encoding/base64"
	"math"
	"strings"

	"github.com/data-sink/data-sink/internal/operate/capacity/bill"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Watching is CloudWatch: logs, metrics, alarms and the dashboard.
type Watching struct {
	Metrics int     `json:"metrics"`
	Alarms  int     `json:"alarms"`
	LogGiB  float64 `json:"logGib"`
	Dollars float64 `json:"dollars"`
}

// metrics returns the number of metrics of a deployment without streams and of each
// stream, with streamMetrics=few and verifyHours=0. A count of 0 is not written, so
// refusals cost nothing while no request is refused.
func metrics() (service, each int) {
	for _, m := range metric.All() {
		if !strings.HasPrefix(m.Name, "Refused") && m.By != "verifier" {
			service++
		}
		if m.PerStream == metric.Always {
			each++
		}
	}
	return service, each
}

func newWatching(p Plan) Watching {
	l := p.Load
	service, each := metrics()
	w := Watching{Metrics: service + each*l.Streams, Alarms: bill.FloorOf(p.settings(), l.streams()).Alarms}
	bytes := 0.0
	if l.stack().Front == settings.FrontAPI {
		bytes = l.requests() * (accessLogBytes + logBytesPerRecord)
	}
	// Ingest writes its metrics when a line is full, and every ten seconds in each
	// environment.
	bytes += (l.requests()/metric.MaxValues + p.Ingest.Concurrency/10) * (ingestLogBytes + logBytesPerRecord)
	bytes += p.Drainer.WakeUps * (invocationBytes + 3*logBytesPerRecord)
	bytes += float64(l.Streams) / settings.SweepSeconds * (sweepLogBytes + logBytesPerRecord)
	bytes += p.Bridge.InvocationsPerSecond * (invocationBytes + 3*logBytesPerRecord)
	if !l.oversize() {
		bytes += l.overBatches(p.Tap, func(b batch) float64 {
			return b.perSecond * math.Ceil(b.records*float64(l.framed())/stream.MaxFramedBytes) * (packedLogBytes + logBytesPerRecord)
		})
	}
	w.LogGiB = bytes * bill.MonthSeconds / bill.GiB
	w.Dollars = w.LogGiB*bill.LogGiB + float64(w.Metrics)*bill.MetricMonth + float64(w.Alarms)*bill.AlarmMonth + bill.DashboardMonth
	return w
}

// Network is the interface endpoints, the secrets and the encryption of Kinesis.
type Network struct {
	// Endpoints is the number of interface endpoints, counted in each zone.
	Endpoints int `json:"endpoints"`
	// KMSRequests is the number of KMS requests of the functions in a month.
	KMSRequests float64 `json:"kmsRequests"`
	// GiB is the amount of calls of the drainer through them in a month, in base64.
	GiB     float64 `json:"gib"`
	Dollars float64 `json:"dollars"`
}

func newNetwork(p Plan) Network {
	l := p.Load
	s := l.stack()
	n := Network{Endpoints: s.InterfaceEndpoints(l.streams())}
	if !l.NoTap {
		// Each environment of the drainer and of the bridge decrypts the key of each stream.
		environments := math.Max(1, math.Ceil(p.Bridge.Concurrency)) + float64(max(1, p.Drainer.Concurrency))
		n.KMSRequests = float64(l.Streams) * environments * bill.KMSRequestsPerMonth
	}
	if !l.oversize() && n.Endpoints > 0 {
		call := base64.StdEncoding.EncodedLen(l.Size) + keyBytes + putBytes
		if l.NoTap {
			call = base64.StdEncoding.EncodedLen(l.framed())
		}
		n.GiB = l.Rate * bill.MonthSeconds * float64(call) / bill.GiB
	}
	n.Dollars = float64(n.Endpoints)*bill.EndpointHour*bill.MonthHours + bill.Priced(bill.EndpointGiB, n.GiB) + secrets*bill.SecretMonth + n.KMSRequests*bill.KMSRequest
	return n
}
