package main

import (
	"encoding/base64"
	"math"
	"strings"

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
	w := Watching{Metrics: service + each*l.Streams, Alarms: serviceAlarms + streamAlarms*l.Streams}
	bytes := l.Rate * (accessLogBytes + logBytesPerRecord)
	// Ingest writes its metrics when a line is full, and every ten seconds in each
	// environment.
	bytes += (l.Rate/metric.MaxValues + p.Ingest.Concurrency/10) * (ingestLogBytes + logBytesPerRecord)
	bytes += p.Drainer.WakeUps * (invocationBytes + 3*logBytesPerRecord)
	bytes += float64(l.Streams) / settings.SweepSeconds * (sweepLogBytes + logBytesPerRecord)
	if i := p.Bridge.InvocationsPerSecond; i > 0 {
		packed := math.Ceil(l.Rate / i * float64(l.framed()) / stream.MaxFramedBytes)
		bytes += i * (invocationBytes + 3*logBytesPerRecord + packed*(packedLogBytes+logBytesPerRecord))
	}
	w.LogGiB = bytes * monthSeconds / gib
	w.Dollars = w.LogGiB*logGiB + float64(w.Metrics)*metricMonth + float64(w.Alarms)*alarmMonth + dashboard
	return w
}

// Network is the interface endpoints and the secrets.
type Network struct {
	Endpoints int `json:"endpoints"`
	// GiB is the amount of PutRecords calls through them in a month, in base64.
	GiB     float64 `json:"gib"`
	Dollars float64 `json:"dollars"`
}

func newNetwork(l Load) Network {
	n := Network{Endpoints: interfaceEndpoints * settings.Zones}
	if !l.oversize() {
		n.GiB = l.Rate * monthSeconds * float64(base64.StdEncoding.EncodedLen(l.Size)+keyBytes+putBytes) / gib
	}
	n.Dollars = float64(n.Endpoints)*endpointHour*monthHours + priced(endpointGiB, n.GiB) + secrets*secretMonth
	return n
}
