package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/operate/capacity/bill"
	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/readmetest"
)

// deployments are the rows of the table of deployments.
var deployments = []struct {
	name    string
	rate    float64
	streams int
	// small: ElastiCache Serverless is good for this rate.
	small bool
}{
	{"trickle: a record every ten seconds, 1 stream", 0.1, 1, true},
	{"small team: 10 records/s, 5 streams", 10, 5, true},
	{"1,000 records/s, 10 streams", 1_000, 10, true},
	{"10,000 records/s, 20 streams", 10_000, 20, false},
}

// batches are the numbers of records in a request in the tables.
var batches = []int{1, 100, 500}

func leverLoad(rate float64, streams int, profile string, batch int) Load {
	l := defaultLoad()
	l.Rate, l.Streams, l.Profile, l.Batch = rate, streams, profile, batch
	return l
}

// deploymentsTable is what four deployments cost with each profile, in Markdown.
func deploymentsTable() string {
	var b strings.Builder
	b.WriteString("| deployment |")
	for _, profile := range []string{settings.ProfileStandard, settings.ProfileSmall} {
		for _, batch := range batches {
			fmt.Fprintf(&b, " %s, %s |", profile, batchName(batch))
		}
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", 2*len(batches)) + "\n")
	for _, d := range deployments {
		fmt.Fprintf(&b, "| %s |", d.name)
		for _, profile := range []string{settings.ProfileStandard, settings.ProfileSmall} {
			for _, batch := range batches {
				cell := "–"
				if profile == settings.ProfileStandard || d.small {
					cell = about(newPlan(leverLoad(d.rate, d.streams, profile, batch)).Dollars)
				}
				fmt.Fprintf(&b, " %s |", cell)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// priceLines are the prices in the README of the repository.
func priceLines() string {
	price := func(profile string) (floor, each, single, batch float64) {
		s := newPlan(leverLoad(1, 1, profile, 1)).Load.stack()
		floor = bill.Dollars(bill.FloorOf(s, nil).Lines(s.DrainerMemory))
		each = bill.Dollars(bill.FloorOf(s, []stream.Stream{{Name: "orders", Shards: 1}}).Lines(s.DrainerMemory)) - floor
		set := func(l *Load) { l.Profile = profile }
		return floor, each, marginal(set, 1), marginal(set, 100)
	}
	floor, each, single, batch := price(settings.ProfileStandard)
	smallFloor, _, smallSingle, smallBatch := price(settings.ProfileSmall)
	return fmt.Sprintf("Without traffic a deployment costs $%.0f a month, with `profile=small` $%.0f, and $%.0f for each stream. A million records of 1 KiB cost $%.2f one by one and\n"+
		"$%.2f in batches of 100, with `profile=small` $%.2f and $%.2f.\n", floor, smallFloor, each, single, batch, smallSingle, smallBatch)
}

func TestThePricesInTheREADMEOfTheRepository(t *testing.T) {
	readmetest.Section(t, "../../../README.md", "price", priceLines(), *update)
}

func batchName(batch int) string {
	if batch == 1 {
		return "single posts"
	}
	return fmt.Sprintf("batches of %d", batch)
}

// millionTable is what a million records cost without the floor of the deployment, in
// Markdown.
func millionTable() string {
	var b strings.Builder
	b.WriteString("| $ a million records of 1 KiB |")
	for _, batch := range batches {
		fmt.Fprintf(&b, " %s |", batchName(batch))
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(batches)) + "\n")
	for _, lever := range []struct {
		name string
		set  func(l *Load)
	}{
		{"default", func(*Load) {}},
		{"`front=url`", func(l *Load) { l.Front = settings.FrontURL }},
		{"`front=url`, `egress=ipv6`", func(l *Load) { l.Front, l.Egress = settings.FrontURL, settings.EgressIPv6 }},
		{"`profile=small`", func(l *Load) { l.Profile = settings.ProfileSmall }},
	} {
		fmt.Fprintf(&b, "| %s |", lever.name)
		for _, batch := range batches {
			fmt.Fprintf(&b, " %.2f |", marginal(lever.set, batch))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// marginal returns what a million more records cost, on streams with a shard each.
func marginal(set func(l *Load), batch int) float64 {
	at := func(rate float64) float64 {
		l := leverLoad(rate, 1, "", batch)
		set(&l)
		return newPlan(l).Dollars
	}
	const low, high = 100, 500
	return (at(high) - at(low)) / ((high - low) * bill.MonthSeconds) * 1e6
}

func TestEachLeverSavesWhatItPromises(t *testing.T) {
	t.Parallel()
	plan := func(set func(l *Load)) Plan {
		l := leverLoad(100, 5, "", 1)
		set(&l)
		return newPlan(l)
	}
	base := plan(func(*Load) {})
	million := 100 * bill.MonthSeconds / 1e6
	for _, tt := range []struct {
		name      string
		set       func(l *Load)
		low, high float64 // dollars saved a month
	}{
		{"front=url", func(l *Load) { l.Front = "url" }, 1.19 * million, 1.25 * million},
		{"egress=endpoint", func(l *Load) { l.Egress = "endpoint" }, 21, 23},
		{"egress=ipv6", func(l *Load) { l.Egress = "ipv6" }, 44, 48},
		{"cache=serverless", func(l *Load) { l.CacheKind = "serverless" }, 20, 32},
	} {
		if saved := base.Dollars - plan(tt.set).Dollars; saved < tt.low || saved > tt.high {
			t.Errorf("%s saves $%.2f a month, want %.2f to %.2f", tt.name, saved, tt.low, tt.high)
		}
	}
	if one, batch := marginal(func(*Load) {}, 1), marginal(func(*Load) {}, 500); batch > one/10 {
		t.Errorf("a million records cost $%.2f in single posts and $%.2f in batches of 500", one, batch)
	}
}

// TestAnIdlePlanIsTheFloor compares the model with the floor, which a test of the CDK app
// compares with the template.
func TestAnIdlePlanIsTheFloor(t *testing.T) {
	t.Parallel()
	set, err := stream.Parse([]byte(`{"streams": [{"name": "orders"}, {"name": "audit"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, profile := range []string{settings.ProfileStandard, settings.ProfileSmall} {
		p := newPlan(leverLoad(0.001, 2, profile, 1))
		floor := bill.FloorOf(p.settings(), set.All())
		want := bill.Dollars(floor.Lines(p.Load.DrainerMemory))
		// The model counts every metric, also those that have values only with traffic.
		got := p.Dollars - float64(p.Watching.Metrics-floor.Metrics)*bill.MetricMonth
		if math.Abs(got-want) > 1 {
			t.Errorf("%s: an idle deployment costs $%.2f, the floor is $%.2f", profile, got, want)
		}
	}
}

func TestTheSmallProfileHasItsCeilings(t *testing.T) {
	t.Parallel()
	p := newPlan(leverLoad(20_000, 20, settings.ProfileSmall, 1))
	said := strings.Join(p.Set, "; ")
	for _, want := range []string{"cache=nodes", "ingestConcurrency=2400"} {
		if !strings.Contains(said, want) {
			t.Errorf("at 20,000 records/s: %s, want %s", said, want)
		}
	}
	if p := newPlan(leverLoad(500, 5, settings.ProfileSmall, 1)); strings.Contains(strings.Join(p.Set, ""), "cache") || len(p.Ask) > 0 {
		t.Errorf("at 500 records/s: set %v, ask for %v, want nothing more", p.Set, p.Ask)
	}
	// Batches need a hundredth of the requests.
	if p := newPlan(leverLoad(20_000, 20, "", 100)); strings.Contains(strings.Join(p.Set, ""), "throttleRate") {
		t.Errorf("in batches of 100: %v, want the default throttleRate", p.Set)
	}
}

func TestLeversThatAreRefused(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-profile tiny":             `profile: "tiny": want standard or small`,
		"-front cloudfront":         `front: "cloudfront"`,
		"-batch 0":                  "-batch 0: want 1 to 10000",
		"-batch 10000":              "are more than a body may have",
		"-profile small -outage 1m": "simulate only front=api, cache=nodes",
		"-cache serverless -node cache.m7g.large": "-node cache.m7g.large: a serverless cache has no nodes",
	} {
		if err := run(strings.Fields(args), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
