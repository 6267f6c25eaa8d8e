package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Kinds of ceilings, by who lifts them.
const (
	bySetting = "setting" // of the CDK app, or of streams.json
	byQuota   = "quota"   // AWS, on request
	byDesign  = "design"  // nobody: the records have to come otherwise
)

// Ceiling is a limit of the deployment as it comes, under a load of this shape.
type Ceiling struct {
	// At is the peak of records/s, over all streams, that it stands at.
	At   float64 `json:"at"`
	What string  `json:"what"`
	Kind string  `json:"kind"`
	Lift string  `json:"lift"`
	// Passed says that the load is over it, and Lift has to be done.
	Passed bool `json:"passed"`
}

// ceilings lists all, the lowest first.
func ceilings(p Plan) []Ceiling {
	l, r := p.Load, regionOf(p.Load.Region)
	busiest, _ := l.shares()
	var all []Ceiling
	add := func(at float64, what, kind, lift string, args ...any) {
		all = append(all, Ceiling{At: at, What: what, Kind: kind, Lift: fmt.Sprintf(lift, args...), Passed: l.peak() > at*(1+1e-9)})
	}
	// scaled is where something stands that grows with the load.
	scaled := func(limit, needs float64) float64 { return l.peak() * limit / needs }

	add(throttleRate, "the API's own throttle", bySetting, "throttleRate=%d", l.throttle())
	add(throttleRateMax, "the most that throttleRate can be", byDesign, "split the streams over several deployments")
	add(apiRate/room, "requests of the account at API Gateway, with some room", byQuota, "API Gateway throttle: %s requests/s", commas(max(float64(l.throttle()), apiRate+1)))
	add(scaled(concurrentExecutions, float64(p.concurrency())), "concurrent executions of the account, and ten requests a second for each", byQuota,
		"Lambda concurrent executions: %s", commas(max(float64(p.concurrency()), concurrentExecutions+1)))
	if l.oversize() {
		add(s3PutsPerPrefix/busiest, "PUTs a second under one prefix of S3", byDesign, "raise the load slowly: S3 splits the prefix by itself")
		slices.SortStableFunc(all, func(a, b Ceiling) int { return cmp.Compare(a.At, b.At) })
		return all
	}
	standard := l
	standard.Replicas = cacheReplicas
	small, _ := findNode(cacheNodeType)
	add(standard.carries(small), fmt.Sprintf("one %s, with %g minutes of backlog", cacheNodeType, l.BacklogMinutes), bySetting, "%s", p.Cache.settings())
	streamMax := p.Cache.StreamMax
	if l.Node != "auto" {
		streamMax = p.Cache.ShardMax
	}
	add(streamMax/busiest, "one stream: its queue lies on one node of the cache", byDesign,
		"split the busiest stream into %d or more", max(2, whole(l.peak()*busiest/streamMax)))
	add(float64(streamDrainers)*p.Drainer.RecordsPerSecond/busiest, "drainers of one stream", bySetting, "streamDrainers=%d", max(streamDrainers+1, p.Drainer.Stream))
	add(scaled(drainerConcurrency, l.overStreams(func(share float64) float64 { return l.executions(l.peak() * share) })), "drainers of all streams", bySetting,
		"drainerConcurrency=%d", max(drainerConcurrency+1, p.Drainer.Concurrency))
	if p.Drainer.Concurrency > drainerConcurrencyMax {
		add(scaled(drainerConcurrencyMax, float64(p.Drainer.Concurrency)), "drainers that SQS wakes at once", byDesign, "split the streams over several deployments")
	}
	all = append(all, tapCeilings(p, r)...)
	add(r.firehoseMiB*(1<<20)/float64(l.framed())/busiest, fmt.Sprintf("Direct PUT of one Firehose, %g MiB/s", r.firehoseMiB), byQuota,
		"Firehose Direct PUT: %d MiB/s a stream", max(whole(p.Firehose.BusiestMiB), int(r.firehoseMiB)+1))
	slices.SortStableFunc(all, func(a, b Ceiling) int { return cmp.Compare(a.At, b.At) })
	return all
}

// room is what limits on requests should have above a load, for it never comes evenly.
const room = 1.2

// throttle is the throttleRate for a load.
func (l Load) throttle() int {
	return min(throttleRateMax, max(throttleRate, whole(l.peak()*room)))
}

// tapCeilings are those of Kinesis.
func tapCeilings(p Plan, r region) []Ceiling {
	l := p.Load
	busiest, _ := l.shares()
	ceiling := func(at float64, what, kind, lift string) Ceiling {
		return Ceiling{At: at, What: what, Kind: kind, Lift: lift, Passed: l.peak() > at*(1+1e-9)}
	}
	if l.OnDemand {
		record := float64(l.Size + keyBytes)
		return []Ceiling{
			ceiling(onDemandStart/record/busiest, "a new stream on demand, 4 MB/s", byDesign, "raise the load slowly: within 15 minutes Kinesis takes twice the peak of the last 30 days"),
			ceiling(r.onDemandMaxMiBs*(1<<20)/record/busiest, fmt.Sprintf("one stream on demand, %g MB/s", r.onDemandMaxMiBs), byQuota,
				fmt.Sprintf("Kinesis on-demand throughput of a stream: %s MB/s", commas(l.peak()*busiest*record/(1<<20)))),
		}
	}
	shards := fmt.Sprintf(`"shards": %d`, p.Tap.Busiest)
	if p.Tap.Other > 0 && p.Tap.Other != p.Tap.Busiest {
		shards += fmt.Sprintf(` for the busiest, %d for the others`, p.Tap.Other)
	}
	quota := max(float64(p.Tap.Shards), float64(r.shards)+1)
	return []Ceiling{
		ceiling(defaultShards*p.Tap.ShardMax/busiest, "one shard a stream", bySetting, shards),
		ceiling(maxShards*p.Tap.ShardMax/busiest, fmt.Sprintf("%d shards of one stream", maxShards), byDesign,
			fmt.Sprintf(`split the busiest stream into %d or more, or "capacity": "on-demand"`, max(2, whole(float64(p.Tap.Busiest)/maxShards)))),
		ceiling(float64(r.shards)*p.Tap.ShardMax, "shards of the account", byQuota, "Kinesis shards: "+commas(quota)),
	}
}

// changes are the lifts of one kind that the load needs.
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
	if kind == byQuota && !p.Load.oversize() && p.Load.Streams > firehoseStreams {
		lifts = append(lifts, fmt.Sprintf("Firehose streams: %d", p.Load.Streams))
	}
	return lifts
}

// chosen are settings that no ceiling asks for, but the load's own choices do.
func (p Plan) chosen(set []string) []string {
	var more []string
	if cache := p.Cache.settings(); cache != "" && !slices.Contains(set, cache) {
		more = append(more, cache)
	}
	for _, s := range []struct {
		name             string
		value, byDefault int
	}{
		{"cacheReplicas", p.Load.Replicas, cacheReplicas},
		{"ingestMemory", p.Load.IngestMemory, ingestMemory},
		{"drainerMemory", p.Load.DrainerMemory, drainerMemory},
		{"bridgeMemory", p.Load.BridgeMemory, bridgeMemory},
	} {
		if s.value != s.byDefault {
			more = append(more, fmt.Sprintf("%s=%d", s.name, s.value))
		}
	}
	if p.Load.OnDemand {
		more = append(more, `"capacity": "on-demand"`)
	}
	return more
}

// settings are those of the CDK app by which the cache is not as it comes.
func (c Cache) settings() string {
	var set []string
	if c.Node != cacheNodeType {
		set = append(set, "cacheNodeType="+c.Node)
	}
	if c.Shards != cacheShards {
		set = append(set, fmt.Sprintf("cacheShards=%d", c.Shards))
	}
	return strings.Join(set, " ")
}

// next is the lowest ceiling that the load has not reached.
func (p Plan) next() (Ceiling, bool) {
	i := slices.IndexFunc(p.Ceilings, func(c Ceiling) bool { return !c.Passed })
	if i < 0 {
		return Ceiling{}, false
	}
	return p.Ceilings[i], true
}
