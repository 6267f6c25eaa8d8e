package main

import (
	"github.com/data-sink/data-sink/internal/operate/capacity/bill"
	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Plan is what each hop needs for a load and what it costs. Dollars are for a month.
type Plan struct {
	Load     Load     `json:"load"`
	API      API      `json:"apiGateway"`
	Ingest   Function `json:"ingest"`
	Cache    Cache    `json:"cache"`
	Drainer  Drainer  `json:"drainer"`
	Tap      Tap      `json:"kinesis"`
	Bridge   Function `json:"bridge"`
	Firehose Firehose `json:"firehose"`
	Archive  Archive  `json:"s3"`
	Watching Watching `json:"cloudwatch"`
	Network  Network  `json:"network"`

	Dollars        float64 `json:"dollars"`
	DollarsMillion float64 `json:"dollarsMillion"`
	// Floor is what the deployment costs without any traffic.
	Floor float64 `json:"floor"`

	// Ceilings are all limits, the lowest first. For the limits that the load exceeds,
	// Set lists settings, Ask quotas of AWS, and Change changes of the load.
	Ceilings []Ceiling `json:"ceilings"`
	Set      []string  `json:"set"`
	Ask      []string  `json:"ask"`
	Change   []string  `json:"change"`
}

// API is API Gateway.
type API struct {
	RequestsPerSecond float64 `json:"requestsPerSecond"`
	// Units is the number of requests that a request is billed as.
	Units   int     `json:"units"`
	Dollars float64 `json:"dollars"`
}

// Function is a Lambda function.
type Function struct {
	InvocationsPerSecond float64 `json:"invocationsPerSecond"`
	BilledMillis         float64 `json:"billedMillis"`
	// Concurrency is the mean number of executions at once, by Little's law.
	Concurrency float64 `json:"concurrency"`
	Memory      int     `json:"memory"`
	Dollars     float64 `json:"dollars"`
}

// newPlan computes a plan for a valid load.
func newPlan(l Load) Plan {
	p := Plan{Load: l}
	p.API = newAPI(l)
	p.Ingest = newIngest(l)
	p.Cache = newCache(l)
	if !l.oversize() {
		p.Drainer = newDrainer(l)
		if !l.NoTap {
			p.Tap = newTap(l)
			p.Bridge = newBridge(l, p.Tap)
		}
		p.Firehose = newFirehose(l, p.Tap)
	}
	p.Archive = newArchive(l)
	p.Watching = newWatching(p)
	p.Network = newNetwork(p)
	for _, h := range p.hops() {
		p.Dollars += h.dollars
	}
	p.DollarsMillion = p.Dollars / (l.Rate * bill.MonthSeconds) * 1e6
	p.Floor = p.floor()
	p.Ceilings = ceilings(p)
	p.Set, p.Ask, p.Change = p.changes(bySetting), p.changes(byQuota), p.changes(byDesign)
	return p
}

// floor returns what the deployment costs without any traffic.
func (p Plan) floor() float64 {
	streams := p.Load.streams()
	for i := range streams {
		streams[i].Shards = p.Tap.Other
		if p.Load.OnDemand {
			streams[i].Capacity = stream.OnDemand
		}
	}
	streams[0].Shards = p.Tap.Busiest
	return bill.Dollars(bill.FloorOf(p.settings(), streams).Lines(p.Load.DrainerMemory))
}

// settings returns the settings of the stack, with the cache of the plan.
func (p Plan) settings() settings.Settings {
	s := p.Load.stack()
	if s.Cache == settings.CacheNodes {
		s.CacheNodeType, s.CacheShards, s.CacheReplicas = p.Cache.Node, p.Cache.Shards, p.Load.Replicas
	}
	return s
}

// hop is a row of the table.
type hop struct {
	name, needs string
	dollars     float64
}

// concurrency returns the number of concurrent executions that the account must
// allow: the executions at work, with one batch of each shard for the bridge, or the
// number that allows the requests a second, whichever is larger.
func (p Plan) concurrency() int {
	atWork := p.Ingest.Concurrency*p.Load.Peak + float64(p.Drainer.Concurrency) + float64(p.Tap.Shards*settings.BridgeParallelization)
	return whole(max(atWork, p.API.RequestsPerSecond*margin/requestsPerExecution))
}
