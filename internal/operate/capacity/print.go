package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/data-sink/data-sink/internal/operate/capacity/bill"
	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// caveat accompanies every table of dollars.
const caveat = "prices: list prices of us-east-1 from public pages, checked " + bill.Checked + "; prices.go says which of them are not verified; check them before you decide"

// hops returns the rows of the table, in the order of the pipeline.
func (p Plan) hops() []hop {
	hops := []hop{
		{
			p.frontName(), fmt.Sprintf("%s requests/s, each billed as %d", short(p.API.RequestsPerSecond), p.API.Units), p.API.Dollars,
		},
		{
			"ingest λ", fmt.Sprintf("%s executions of %d MB at once, %g ms each", short(p.Ingest.Concurrency*p.Load.Peak), p.Ingest.Memory, p.Ingest.BilledMillis), p.Ingest.Dollars,
		},
	}
	if p.Load.oversize() {
		hops = append(hops, hop{"Redis", fmt.Sprintf("nothing: bodies over 1,023,999 bytes become direct records; %s", p.Cache.what()), p.Cache.Dollars})
	} else {
		hops = append(hops, p.tapHops()...)
	}
	return append(
		hops,
		hop{"S3", fmt.Sprintf("%s objects and %s a month, %s PUTs/s under the busiest prefix", commas(p.Archive.Objects), size(p.Archive.GiB), short(p.Archive.PutsPerSecond)), p.Archive.Dollars},
		hop{"CloudWatch", fmt.Sprintf("%s of logs a month, %s metrics, %s alarms", size(p.Watching.LogGiB), commas(float64(p.Watching.Metrics)), commas(float64(p.Watching.Alarms))), p.Watching.Dollars},
		hop{"VPC, secrets", fmt.Sprintf("%d interface endpoints, counted in each zone; %s through them a month; %s KMS requests", p.Network.Endpoints, size(p.Network.GiB), commas(p.Network.KMSRequests)), p.Network.Dollars},
	)
}

// frontName returns the name of what clients call.
func (p Plan) frontName() string {
	if p.Load.stack().Front == settings.FrontURL {
		return "function URL"
	}
	return "API Gateway"
}

func (c Cache) what() string {
	if c.Nodes == 0 {
		return "serverless"
	}
	return fmt.Sprintf("%d × %s", c.Nodes, c.Node)
}

// needs describes the cache in the table.
func (c Cache) needs() string {
	keys := ""
	if c.KeyMiB > 0 {
		keys = fmt.Sprintf("; %s MiB of idempotency keys", commas(c.KeyMiB))
	}
	if c.Nodes == 0 {
		return fmt.Sprintf("serverless: %s of backlog, up to %s records/s from idle%s", minutes(c.BacklogMinutes), commas(c.ShardMax), keys)
	}
	return fmt.Sprintf("%s, %s: %s of backlog, up to %s records/s a shard%s", c.what(), many(c.Shards, "shard"), minutes(c.BacklogMinutes), commas(c.ShardMax), keys)
}

// tapHops returns the hops between ingest and S3.
func (p Plan) tapHops() []hop {
	tap := fmt.Sprintf("%s, %d for the busiest stream", many(p.Tap.Shards, "shard"), p.Tap.Busiest)
	if p.Load.OnDemand {
		tap = fmt.Sprintf("%s on demand, which correspond to %s", many(p.Load.Streams, "stream"), many(p.Tap.Shards, "shard"))
	}
	hops := []hop{
		{
			"Redis", p.Cache.needs(),
			p.Cache.Dollars,
		},
		{
			"drainer λ", fmt.Sprintf("%d at once, %d for the busiest stream, %s records/s each; %s wake-ups/s", p.Drainer.Concurrency, p.Drainer.Stream, commas(p.Drainer.RecordsPerSecond), short(p.Drainer.WakeUps)),
			p.Drainer.Dollars,
		},
	}
	if !p.Load.NoTap {
		hops = append(hops, hop{"Kinesis", tap, p.Tap.Dollars}, hop{
			"bridge λ", fmt.Sprintf("%s executions of %d MB at once, %d at most, one a shard; %s batches/s of %s ms", short(p.Bridge.Concurrency), p.Bridge.Memory, p.Tap.Shards*settings.BridgeParallelization, short(p.Bridge.InvocationsPerSecond), short(p.Bridge.BilledMillis)),
			p.Bridge.Dollars,
		})
	}
	return append(hops, hop{
		"Firehose", fmt.Sprintf("%s billed a month; packing saves $%s; busiest %s MiB/s", size(p.Firehose.GiB), commas(p.Firehose.Saved), short(p.Firehose.BusiestMiB)),
		p.Firehose.Dollars,
	})
}

// print writes a plan as text.
func (p Plan) print(out io.Writer) error {
	l := p.Load
	busiest, _ := l.shares()
	var b strings.Builder
	fmt.Fprintf(&b, "%s records/s of %s bytes over %s, the busiest with %s/s", short(l.Rate), commas(float64(l.Size)), many(l.Streams, "stream"), short(l.Rate*busiest))
	if l.Peak != 1 {
		fmt.Fprintf(&b, "; sized for %g times that rate", l.Peak)
	}
	if l.Batch > 1 {
		fmt.Fprintf(&b, "; %s records in a request", commas(float64(l.Batch)))
	}
	fmt.Fprintf(&b, "; %s, a month of %d hours\n\n", l.Region, bill.MonthHours)

	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	million := l.Rate * bill.MonthSeconds / 1e6
	_, _ = fmt.Fprintf(w, "hop\tneeds\t%*s\t%*s\n", 12, "$ a month", 11, "$ a million")
	for _, h := range p.hops() {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%12s\t%11s\n", h.name, h.needs, commas(h.dollars), dollars(h.dollars/million))
	}
	_, _ = fmt.Fprintf(w, "total\t\t%12s\t%11s\n", commas(p.Dollars), dollars(p.DollarsMillion))
	_, _ = fmt.Fprintf(w, "without traffic\t\t%12s\t%11s\n", commas(p.Floor), "")
	if err := w.Flush(); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	b.WriteString("\n" + p.advice())
	fmt.Fprintf(&b, "%s\n", caveat)
	if _, err := io.WriteString(out, b.String()); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// advice returns what to change, and the next ceiling.
func (p Plan) advice() string {
	var b strings.Builder
	for _, kind := range []struct {
		verb  string
		lifts []string
	}{{"set", p.Set}, {"ask AWS for", p.Ask}, {"change the load", p.Change}} {
		for i, lift := range kind.lifts {
			verb := kind.verb + ":"
			if i > 0 {
				verb = ""
			}
			fmt.Fprintf(&b, "%-16s %s\n", verb, lift)
		}
	}
	if share := p.perRequest() / p.Dollars; share > 0.5 && 2*p.Load.framed() <= stream.MaxFramedBytes {
		fmt.Fprintf(&b, "%-16s send several lines in one body: %.0f %% of the cost is per request, whatever its size\n", "cheaper:", share*100)
	}
	if c, ok := p.next(); ok {
		fmt.Fprintf(&b, "%-16s at %s records/s: %s", "next ceiling:", commas(c.At), c.What)
		if c.Kind == bySetting {
			name, _, _ := strings.Cut(strings.TrimLeft(c.Lift, `"`), "=")
			name, _, _ = strings.Cut(name, `"`)
			fmt.Fprintf(&b, " (%s)", cmp.Or(name, "cacheNodeType"))
		}
		b.WriteString("\n")
	}
	if p.Cache.Shards > 1 {
		fmt.Fprintf(&b, "%-16s the name of a stream decides on its shard (CLUSTER KEYSLOT); the model assumes random names\n", "note:")
	}
	return b.String()
}

// perRequest returns the cost of API Gateway, ingest and the access log.
func (p Plan) perRequest() float64 {
	if p.Load.stack().Front == settings.FrontURL {
		return p.API.Dollars + p.Ingest.Dollars
	}
	log := p.Load.requests() * bill.MonthSeconds * (accessLogBytes + logBytesPerRecord) / bill.GiB * bill.LogGiB
	return p.API.Dollars + p.Ingest.Dollars + log
}

// many returns a number with its noun.
func many(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return commas(float64(n)) + " " + thing
}

// commas returns a rounded number with commas.
func commas(v float64) string {
	digits := strconv.FormatFloat(math.Round(math.Abs(v)), 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if v <= -0.5 {
		return "-" + digits
	}
	return digits
}

// short returns a number with two or three digits.
func short(v float64) string {
	switch {
	case v >= 100:
		return commas(v)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
}

func dollars(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

// size returns an amount that is given in GiB with a unit.
func size(gib float64) string {
	switch {
	case gib >= 10<<10:
		return commas(gib/(1<<10)) + " TiB"
	case gib >= 1:
		return commas(gib) + " GiB"
	default:
		return commas(gib*(1<<10)) + " MiB"
	}
}

func minutes(v float64) string {
	if v >= 120 {
		return commas(v/60) + " h"
	}
	return short(v) + " min"
}
