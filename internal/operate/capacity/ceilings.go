package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// Kinds of ceilings, by what raises them.
const (
	bySetting = "setting" // a setting of the stack, or a field of streams.json
	byQuota   = "quota"   // a quota of AWS, on request
	byDesign  = "design"  // nothing: the load must change
)

// Ceiling is a limit of a deployment with the default settings under a load of this
// shape.
type Ceiling struct {
	// At is the peak load, in records/s over all streams, at which the limit is reached.
	At   float64 `json:"at"`
	What string  `json:"what"`
	Kind string  `json:"kind"`
	Lift string  `json:"lift"`
	// Passed reports whether the load exceeds the limit, so that Lift is necessary.
	Passed bool `json:"passed"`
}

func (l Load) ceiling(at float64, what, kind, lift string) Ceiling {
	return Ceiling{At: at, What: what, Kind: kind, Lift: lift, Passed: l.peak() > at*(1+1e-9)}
}

// ceilings returns all ceilings, the lowest first.
func ceilings(p Plan) []Ceiling {
	l, r := p.Load, regionOf(p.Load.Region)
	busiest, _ := l.shares()
	var all []Ceiling
	add := func(at float64, what, kind, lift string, args ...any) {
		all = append(all, l.ceiling(at, what, kind, fmt.Sprintf(lift, args...)))
	}
	// scaled returns the load at which a need that grows with the load reaches its limit.
	scaled := func(limit, needs float64) float64 { return l.peak() * limit / needs }

	batch := float64(l.Batch)
	if l.stack().Front == settings.FrontAPI {
		add(float64(defaults.ThrottleRate)*batch, "the throttle of the API", bySetting, "throttleRate=%d", l.throttle())
		add(float64(maxSetting("throttleRate"))*batch, "the largest throttleRate", byDesign, "split the streams over several deployments")
		add(apiRate/margin*batch, "requests of the account at API Gateway, with a margin", byQuota, "API Gateway throttle: %s requests/s", commas(max(float64(l.throttle()), apiRate+1)))
	} else {
		reserved := l.stack().IngestConcurrency
		add(float64(reserved)*requestsPerExecution*batch, "requests a second of the executions that are reserved for ingest", bySetting, "ingestConcurrency=%d", max(reserved+1, whole(p.API.RequestsPerSecond*margin/requestsPerExecution)))
		add(scaled(float64(reserved), p.Ingest.Concurrency*l.Peak), "the executions that are reserved for ingest", bySetting, "ingestConcurrency=%d", max(reserved+1, whole(p.Ingest.Concurrency*l.Peak*margin)))
	}
	add(scaled(concurrentExecutions, float64(p.concurrency())), "concurrent executions of the account, and ten requests a second for each of them", byQuota,
		"Lambda concurrent executions: %s", commas(max(float64(p.concurrency()), concurrentExecutions+1)))
	if l.oversize() {
		add(s3PutsPerPrefix/busiest, "PUTs a second under one prefix of S3", byDesign, "increase the load slowly: S3 splits the prefix")
		slices.SortStableFunc(all, func(a, b Ceiling) int { return cmp.Compare(a.At, b.At) })
		return all
	}
	all = append(all, cacheCeilings(p)...)
	add(float64(defaults.StreamDrainers)*p.Drainer.RecordsPerSecond/busiest, "drainers of one stream", bySetting, "streamDrainers=%d", max(defaults.StreamDrainers+1, p.Drainer.Stream))
	add(scaled(float64(defaults.DrainerConcurrency), l.overStreams(func(share float64) float64 { return l.executions(l.peak() * share) })), "drainers of all streams", bySetting,
		"drainerConcurrency=%d", max(defaults.DrainerConcurrency+1, p.Drainer.Concurrency))
	if p.Drainer.Concurrency > maxSetting("drainerConcurrency") {
		add(scaled(float64(maxSetting("drainerConcurrency")), float64(p.Drainer.Concurrency)), "drainers that SQS runs at once", byDesign, "split the streams over several deployments")
	}
	if !l.NoTap {
		all = append(all, tapCeilings(p, r)...)
	}
	add(r.firehoseMiB*(1<<20)/float64(l.framed())/busiest, fmt.Sprintf("Direct PUT of one Firehose, %g MiB/s", r.firehoseMiB), byQuota,
		"Firehose Direct PUT: %d MiB/s a stream", max(whole(p.Firehose.BusiestMiB), int(r.firehoseMiB)+1))
	slices.SortStableFunc(all, func(a, b Ceiling) int { return cmp.Compare(a.At, b.At) })
	return all
}

// cacheCeilings returns the ceilings of the cache.
func cacheCeilings(p Plan) []Ceiling {
	l := p.Load
	busiest, _ := l.shares()
	if l.stack().Serverless() {
		return []Ceiling{
			l.ceiling(p.Cache.ShardMax, "an idle serverless cache", bySetting, "cache=nodes, or increase the load slowly: the cache doubles its capacity every 10 to 12 minutes"),
			l.ceiling(p.Cache.StreamMax/busiest, "one stream: its queue is in one slot of the serverless cache", byDesign, fmt.Sprintf("split the busiest stream into %d or more", max(2, whole(l.peak()*busiest/p.Cache.StreamMax)))),
		}
	}
	standard := l
	standard.Replicas = defaults.CacheReplicas
	small, _ := findNode(defaults.CacheNodeType)
	streamMax := p.Cache.StreamMax
	if l.Node != "auto" {
		streamMax = p.Cache.ShardMax
	}
	list := []Ceiling{
		l.ceiling(standard.carries(small, 1), fmt.Sprintf("one %s, with %g minutes of backlog", defaults.CacheNodeType, l.BacklogMinutes), bySetting, p.Cache.changed()),
		l.ceiling(streamMax/busiest, "one stream: its queue is on one node of the cache", byDesign, fmt.Sprintf("split the busiest stream into %d or more", max(2, whole(l.peak()*busiest/streamMax)))),
	}
	if p.Cache.Nodes > clusterNodes {
		list = append(list, l.ceiling(l.peak()*clusterNodes/float64(p.Cache.Nodes), "nodes of one cluster", byQuota, fmt.Sprintf("ElastiCache nodes of a cluster: %d", p.Cache.Nodes)))
	}
	return list
}

// margin is the factor between a load and its limit on requests, because a load is
// never even.
const margin = 1.2

// throttle returns the throttleRate for a load.
func (l Load) throttle() int {
	return min(maxSetting("throttleRate"), max(defaults.ThrottleRate, whole(l.peak()/float64(l.Batch)*margin)))
}

// tapCeilings returns the ceilings of Kinesis.
func tapCeilings(p Plan, r region) []Ceiling {
	l := p.Load
	busiest, _ := l.shares()
	if l.OnDemand {
		record := float64(l.Size + keyBytes)
		return []Ceiling{
			l.ceiling(onDemandStart/record/busiest, "a new stream on demand, 4 MB/s", byDesign, "increase the load slowly: within 15 minutes Kinesis accepts twice the peak of the last 30 days"),
			l.ceiling(r.onDemandMaxMiBs*(1<<20)/record/busiest, fmt.Sprintf("one stream on demand, %g MB/s", r.onDemandMaxMiBs), byQuota,
				fmt.Sprintf("Kinesis on-demand throughput of a stream: %s MB/s", commas(l.peak()*busiest*record/(1<<20)))),
		}
	}
	shards := fmt.Sprintf(`"shards": %d`, p.Tap.Busiest)
	if p.Tap.Other > 0 && p.Tap.Other != p.Tap.Busiest {
		shards += fmt.Sprintf(` for the busiest, %d for the others`, p.Tap.Other)
	}
	quota := max(float64(p.Tap.Shards), float64(r.shards)+1)
	return []Ceiling{
		l.ceiling(defaultShards*p.Tap.ShardMax/busiest, "one shard a stream", bySetting, shards),
		l.ceiling(maxShards*p.Tap.ShardMax/busiest, fmt.Sprintf("%d shards of one stream", maxShards), byDesign,
			fmt.Sprintf(`split the busiest stream into %d or more, or "capacity": "on-demand"`, max(2, whole(float64(p.Tap.Busiest)/maxShards)))),
		l.ceiling(float64(r.shards)*p.Tap.ShardMax, "shards of the account", byQuota, "Kinesis shards: "+commas(quota)),
	}
}

// changes returns the changes of one kind that the load needs.
func (p Plan) changes(kind string) []string {
	lifts := []string{}
	for _, c := range p.Ceilings {
		if c.Passed && c.Kind == kind {
			lifts = append(lifts, c.Lift)
		}
	}
	switch {
	case kind == byQuota && p.Load.OnDemand && p.Load.Streams > onDemandStreams:
		lifts = append(lifts, fmt.Sprintf("Kinesis on-demand streams: %d", p.Load.Streams))
	case kind == bySetting:
		lifts = append(lifts, p.chosen(lifts)...)
	}
	return lifts
}

// chosen returns the settings that follow from the flags and not from a ceiling.
func (p Plan) chosen(set []string) []string {
	var more []string
	if cache := p.Cache.changed(); cache != "" && !slices.Contains(set, cache) {
		more = append(more, cache)
	}
	for _, s := range []struct {
		name             string
		value, byDefault int
	}{
		{"cacheReplicas", p.settings().CacheReplicas, defaults.CacheReplicas},
		{"ingestMemory", p.Load.IngestMemory, defaults.IngestMemory},
		{"drainerMemory", p.Load.DrainerMemory, defaults.DrainerMemory},
		{"bridgeMemory", p.Load.BridgeMemory, defaults.BridgeMemory},
	} {
		if s.value != s.byDefault {
			more = append(more, fmt.Sprintf("%s=%d", s.name, s.value))
		}
	}
	for name, value := range map[string]string{"profile": p.Load.Profile, "front": p.Load.Front, "egress": p.Load.Egress, "cache": p.Load.CacheKind} {
		if s, _ := settings.Find(name); value != "" && value != s.Default {
			more = append(more, name+"="+value)
		}
	}
	slices.Sort(more)
	if p.Load.OnDemand {
		more = append(more, `"capacity": "on-demand"`)
	}
	if p.Load.NoTap {
		more = append(more, `"tap": false`)
	}
	return more
}

// changed returns the settings of the cache that differ from their defaults.
func (c Cache) changed() string {
	if c.Shards == 0 { // serverless
		return ""
	}
	var set []string
	if c.Node != defaults.CacheNodeType {
		set = append(set, "cacheNodeType="+c.Node)
	}
	if c.Shards != defaults.CacheShards {
		set = append(set, fmt.Sprintf("cacheShards=%d", c.Shards))
	}
	return strings.Join(set, " ")
}

// next returns the lowest ceiling that the load has not reached.
func (p Plan) next() (Ceiling, bool) {
	i := slices.IndexFunc(p.Ceilings, func(c Ceiling) bool { return !c.Passed })
	if i < 0 {
		return Ceiling{}, false
	}
	return p.Ceilings[i], true
}
