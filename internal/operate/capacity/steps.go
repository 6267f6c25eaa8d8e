package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// steps are the loads of the README's table: records/s of 1 KiB, and streams.
var steps = []struct {
	rate    float64
	streams int
}{{10, 2}, {100, 5}, {1_000, 10}, {10_000, 20}, {100_000, 50}, {1_000_000, 200}}

// stepsTable is the way from a few records to a million a second, as Markdown.
func stepsTable() string {
	var b strings.Builder
	b.WriteString("| records/s | streams | cache | shards | at work at once: ingest, drainer, bridge | settings | quotas to ask for | $ a month | $ a million |\n")
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

// about is a number with two digits: more would say more than the model knows.
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

// scenarios are those of the README's second table.
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

// scenariosTable is what simulations of them saw, as Markdown.
func scenariosTable() string {
	p := newPlan(scenariosLoad())
	var b strings.Builder
	b.WriteString("| what happens | longest backlog | cache memory | drained after | straight to the archive | refused with 429 | keeps all in the queue |\n")
	b.WriteString("|---|---|---|---|---|---|---|\n")
	for _, s := range scenarios {
		s.Seed = 1
		o := simulate(p, s)
		what := o.what()
		if s.ThrottleRate > 0 {
			what += fmt.Sprintf(", `throttleRate=%d`", s.ThrottleRate)
		}
		fmt.Fprintf(
			&b, "| %s | %s MiB | %.0f %% | %v | %s | %s | `cacheNodeType=%s`, no bound or %s MiB |\n", what, commas(o.PeakMiB), o.PeakMemory*100, o.DrainedAfter,
			commas(float64(o.Archived)), commas(float64(o.Throttled)), o.HoldsNode, commas(o.HoldsMiB),
		)
	}
	return b.String()
}
