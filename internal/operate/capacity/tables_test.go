package main

import (
	"flag"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/operate/capacity/bill"
	"github.com/data-sink/data-sink/internal/rig/readmetest"
)

var update = flag.Bool("update", false, "rewrite the generated sections of README.md")

func TestTheGeneratedSectionsOfTheREADME(t *testing.T) {
	for name, section := range map[string]string{
		"deployments": deploymentsTable(), "million": millionTable(), "capacity": stepsTable(), "limits": limitsList(t), "scenarios": scenariosTable(),
	} {
		readmetest.Section(t, "README.md", name, section, *update)
	}
}

// steps are the loads of the first table: records/s of 1 KiB, and streams.
var steps = []struct {
	rate    float64
	streams int
}{{10, 2}, {100, 5}, {1_000, 10}, {10_000, 20}, {100_000, 50}, {1_000_000, 200}}

// stepsTable is the table from ten records to a million a second, in Markdown.
func stepsTable() string {
	var b strings.Builder
	b.WriteString("| records/s | streams | cache | shards | at work at once: ingest, drainer, bridge | settings | quotas to request | $ a month | $ a million |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range steps {
		l := defaultLoad()
		l.Rate, l.Streams = s.rate, s.streams
		p := newPlan(l)
		fmt.Fprintf(
			&b, "| %s | %d | %s | %s | %d, %d, %d | %s | %s | %s | %s |\n", commas(l.Rate), l.Streams, p.Cache.what(), commas(float64(p.Tap.Shards)),
			whole(p.Ingest.Concurrency), p.Drainer.Concurrency, whole(p.Bridge.Concurrency), list(p.Set, "`"), list(append(p.Ask, p.Change...), ""), about(p.Dollars), about(p.DollarsMillion),
		)
	}
	return b.String()
}

// about is a number with two digits, which is the precision of the model.
func about(v float64) string {
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	if v = math.Round(v/unit) * unit; unit < 1 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return commas(v)
}

func list(items []string, quote string) string {
	if len(items) == 0 {
		return "–"
	}
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = quote + item + quote
	}
	return strings.Join(quoted, ", ")
}

// limitsList says what changes with the load, with the figures of the model.
func limitsList(t *testing.T) string {
	t.Helper()
	l := loadOf(1_000, 1<<10, 10)
	idle := newPlan(loadOf(0.001, 1<<10, 1))
	fixed := idle.Cache.Dollars + idle.Network.Dollars - secrets*bill.SecretMonth
	p := newPlan(loadOf(10_000, 1<<10, 20))
	perRequest := p.perRequest() / p.Dollars * 100
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, "- "+format+"\n", args...) }
	say("**Up to 1,000 records/s** no setting changes. The cache and the endpoints, $%.0f a month, and the shards are most of the cost of a small load.", fixed)
	say("**At 10,000 records/s**, %.0f %% of the cost is per request: API Gateway, ingest and the access log, whatever the size of the body. A client that sends many lines in one body pays less. "+
		"The archive has the same bytes; on the tap, these lines are one record.", perRequest)
	say("**At %s records/s** the setting `throttleRate` is reached, and at %s the account's throttle of API Gateway and Lambda's %s concurrent executions, each of which allows %d requests a second. "+
		"A new account has far less of both, and some Regions have 2,500 requests/s. Request more early: above the limit clients get 429, and the original clients do not retry.",
		commas(float64(defaults.ThrottleRate)), commas(apiRate), commas(concurrentExecutions), requestsPerExecution)
	say("**Shards.** A shard accepts 1,000 records/s or 1 MiB/s, including partition keys of %d bytes: %.0f records/s of 1 KiB. Leave a margin, or a backlog never drains. "+
		"`\"capacity\": \"on-demand\"` needs no number of shards. It costs less only for streams whose peak is dozens of times their mean.", keyBytes, math.Floor(l.shardMax()))
	say("**Firehose.** In Regions other than %s, a Firehose accepts %g MiB/s and not %g. That is the throughput of one shard: each further shard needs a larger quota first.",
		strings.Join(largeRegions, ", "), regionOf("other").firehoseMiB, regionOf(largeRegions[0]).firehoseMiB)
	say("**The cache** is sized by minutes of backlog. A queue is one list, in one slot, on one node: more `cacheShards` carry more streams, but never a faster stream. "+
		"One core of Redis carries about %s,000 records/s of 1 KiB for one stream; split a faster stream by name. A t4g node earns credits for less than half of a core.", commas(math.Round(1/redisSeconds.at(oneKiB)/1000)))
	keyed := loadOf(1_000, 1<<10, 10)
	keyed.Keys = true
	say("**Idempotency keys** need up to %s MB of the cache for each stream, at %g bytes a key. `-keys` adds their memory.", commas(newPlan(keyed).Cache.KeyMiB*(1<<20)/10/1e6), keyMemory)
	quiet := loadOf(1_000, 1<<10, 10)
	quiet.NoTap = true
	say("**Streams without a tap** (`-no-tap`) need no Kinesis stream and no bridge. At 1,000 records/s over ten streams that saves $%.0f a month.", newPlan(l).Dollars-newPlan(quiet).Dollars)
	say("**Drainers** start and stop without a setting. A drainer starts another one when more than %s records wait; `streamDrainers` and `drainerConcurrency` bound them.", commas(float64(drainer.ScaleOutRecords)))
	return b.String()
}

// scenarios are the rows of the second table.
var scenarios = []Scenario{
	{Burst: 4, BurstFor: 5 * time.Minute},
	{Burst: 10, BurstFor: 5 * time.Minute},
	{Burst: 10, BurstFor: 5 * time.Minute, ThrottleRate: 20_000},
	{Outage: 10 * time.Minute},
	{Outage: 30 * time.Minute},
	{Outage: 10 * time.Minute, MaxBacklogMiB: 128},
}

// scenariosLoad is 1,000 records/s of 1 KiB over ten streams, half of them in one.
func scenariosLoad() Load {
	l := defaultLoad()
	l.Busiest = 0.5
	return l
}

// scenariosTable is the table of simulations, in Markdown.
func scenariosTable() string {
	p := newPlan(scenariosLoad())
	var b strings.Builder
	b.WriteString("| event | longest backlog | cache memory | drained after | direct records | refused with 429 | settings that keep all in the queue |\n")
	b.WriteString("|---|---|---|---|---|---|---|\n")
	for _, s := range scenarios {
		o := simulate(p, s)
		what := o.what()
		if s.ThrottleRate > 0 {
			what += fmt.Sprintf(", `throttleRate=%d`", s.ThrottleRate)
		}
		fmt.Fprintf(
			&b, "| %s | %s MiB | %.0f %% | %v | %s | %s | `cacheNodeType=%s`, no bound or %s MiB |\n", what, commas(o.PeakMiB), o.PeakMemory*100, o.DrainedAfter,
			commas(o.Archived), commas(o.Throttled), o.HoldsNode, commas(o.HoldsMiB),
		)
	}
	return b.String()
}
