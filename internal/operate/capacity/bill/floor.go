package bill

import (
	"slices"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Floor is the part of a deployment that costs money without any traffic. A test of the
// CDK app counts the same in the synthesized template.
type Floor struct {
	NodeType           string // empty without nodes
	Nodes              int
	ServerlessCaches   int
	InterfaceEndpoints int // counted in each zone
	Secrets            int
	Alarms             int
	Dashboards         int
	Shards             int // of provisioned streams
	OnDemandStreams    int
	// Metrics is the number of metrics that have values without traffic.
	Metrics int
	// Streams is the number of Kinesis streams, whose encryption causes KMS requests.
	Streams int
}

// FloorOf returns the floor of a deployment.
func FloorOf(s settings.Settings, streams []stream.Stream) Floor {
	f := Floor{
		Nodes: s.Nodes(), InterfaceEndpoints: s.InterfaceEndpoints(streams), Secrets: 1, Dashboards: 1,
		Alarms: serviceAlarms(s, streams) + streamAlarms*len(streams),
	}
	if f.Nodes > 0 {
		f.NodeType = s.CacheNodeType
	}
	if s.Serverless() {
		f.ServerlessCaches = 1
	}
	if s.CreatesCache() {
		f.Secrets++
	}
	for _, each := range streams {
		if !each.HasTap() {
			continue
		}
		f.Streams++
		f.Alarms += tapAlarms
		if each.Capacity == stream.OnDemand {
			f.OnDemandStreams++
		} else {
			f.Shards += each.Shards
		}
	}
	f.Metrics = idleMetrics()
	return f
}

// Numbers of alarms of the CDK app.
const (
	streamAlarms     = 2
	tapAlarms        = 1
	frontAlarms      = 3
	serverlessAlarms = 2
	commonAlarms     = 12
	bridgeAlarms     = 6
	verifierAlarms   = 3
)

// serviceAlarms returns the number of alarms of a deployment with these streams, without
// the alarms of the streams.
func serviceAlarms(s settings.Settings, streams []stream.Stream) int {
	n := frontAlarms + commonAlarms
	if len(streams) == 0 || slices.ContainsFunc(streams, stream.Stream.HasTap) {
		n += bridgeAlarms
	}
	switch {
	case s.Serverless():
		n += serverlessAlarms
	case s.Nodes() > 0:
		n++
		if s.WatchesShards(len(streams)) {
			n += s.CacheShards - 1
		}
		if s.WatchesNodes(len(streams)) {
			n += s.Nodes()
		}
	}
	if s.Verifies() {
		n += verifierAlarms
	}
	return n
}

// idleMetrics returns the number of metrics that a sweep writes without traffic. A stream
// without records has none.
func idleMetrics() int {
	n := 0
	for _, m := range metric.All() {
		if m.Kind == metric.Snapshot && m.By == "drainer" {
			n++
		}
	}
	return n
}

// KMSRequestsPerMonth is the number of KMS requests in a month of one environment of a
// function for one stream: one about every five minutes. Without traffic, only the bridge
// reads streams.
const KMSRequestsPerMonth = MonthSeconds / 300

// Line is an item of a bill, in dollars a month.
type Line struct {
	What    string
	Dollars float64
}

// Numbers of requests without traffic.
const (
	// sweepsPerMonth is the number of sweeps, each of which takes about 50 ms.
	sweepsPerMonth = MonthSeconds / settings.SweepSeconds
	sweepSeconds   = 0.05
	// pollsPerMonth is the number of requests of Lambda to an empty queue: five pollers
	// that each wait for 20 s.
	pollsPerMonth = MonthSeconds * 5 / 20
	// idleLogGiB is the size of the logs of the sweeps: 2 KB each.
	idleLogGiB = sweepsPerMonth * 2e3 / GiB
)

// Lines returns the bill of the floor. memory is that of the drainer, in MB.
func (f Floor) Lines(memory int) []Line {
	cache := Line{"cache", float64(f.Nodes) * NodeHour[f.NodeType] * MonthHours}
	if f.ServerlessCaches > 0 {
		cache.Dollars = float64(f.ServerlessCaches) * ServerlessMinimumGiB * ServerlessGiBHour * MonthHours
	}
	return []Line{
		cache,
		{"interface endpoints", float64(f.InterfaceEndpoints) * EndpointHour * MonthHours},
		{"Kinesis", (float64(f.Shards)*ShardHour + float64(f.OnDemandStreams)*OnDemandStreamHour) * MonthHours},
		{"KMS", float64(f.Streams) * KMSRequestsPerMonth * KMSRequest},
		{"metrics", float64(f.Metrics) * MetricMonth},
		{"alarms", float64(f.Alarms) * AlarmMonth},
		{"dashboard", float64(f.Dashboards) * DashboardMonth},
		{"secrets", float64(f.Secrets) * SecretMonth},
		{"sweeps", LambdaDollars(1.0/settings.SweepSeconds, sweepSeconds/settings.SweepSeconds, memory) + pollsPerMonth*SQSRequest + idleLogGiB*LogGiB},
	}
}

// Dollars returns the sum of lines.
func Dollars(lines []Line) float64 {
	sum := 0.0
	for _, l := range lines {
		sum += l.Dollars
	}
	return sum
}
