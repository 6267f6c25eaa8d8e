package main

import (
	"fmt"
	"io"
	"math"
	"slices"
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
	tap, noTap := stream.Stream{Shards: 1}, stream.Stream{Tap: stream.TapOff}
	floor := func(profile string, streams ...stream.Stream) float64 {
		s := leverLoad(1, 1, profile, 1).stack()
		return bill.Dollars(bill.FloorOf(s, streams).Lines(s.DrainerMemory))
	}
	million := func(profile string, batch int) float64 {
		return marginal(func(l *Load) { l.Profile = profile }, batch)
	}
	const standard, small = settings.ProfileStandard, settings.ProfileSmall
	return fmt.Sprintf("Without traffic a deployment costs $%.0f a month, with `profile=small` $%.0f, and each stream $%.0f, or $%.2f without a tap. A million records of 1 KiB cost\n"+
		"$%.2f one by one and $%.2f in batches of 100, with `profile=small` $%.2f and $%.2f.\n",
		floor(standard), floor(small), floor(standard, tap)-floor(standard), floor(standard, noTap, noTap)-floor(standard, noTap),
		million(standard, 1), million(standard, 100), million(small, 1), million(small, 100))
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

// TestFiveIdleStreamsWithoutATap compares what the cheapest deployment of five streams costs.
func TestFiveIdleStreamsWithoutATap(t *testing.T) {
	t.Parallel()
	l := leverLoad(0.001, 5, settings.ProfileSmall, 1)
	l.NoTap = true
	floor := bill.FloorOf(l.stack(), l.streams())
	if floor.Shards+floor.OnDemandStreams+floor.Streams != 0 {
		t.Errorf("streams without a tap have Kinesis streams: %+v", floor)
	}
	if got := bill.Dollars(floor.Lines(l.DrainerMemory)); got < 13.5 || got > 14.5 {
		t.Errorf("five idle streams cost $%.2f a month, want about 14", got)
	}
}

func TestStreamsWithoutATap(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{1, 100, 10_000} {
		with := loadOf(rate, 1<<10, 5)
		without := with
		without.NoTap = true
		a, b := newPlan(with), newPlan(without)
		if b.Tap.Shards != 0 || b.Bridge.Dollars != 0 || b.Tap.Dollars != 0 || b.Network.KMSRequests != 0 {
			t.Errorf("%g records/s without a tap need Kinesis or a bridge: %+v %+v", rate, b.Tap, b.Bridge)
		}
		if b.Dollars >= a.Dollars || b.Firehose.GiB < without.Rate*bill.MonthSeconds*float64(without.framed())/bill.GiB {
			t.Errorf("%g records/s cost $%.2f without a tap and $%.2f with one, Firehose bills %.1f GiB", rate, b.Dollars, a.Dollars, b.Firehose.GiB)
		}
		if !slices.Contains(b.Set, `"tap": false`) {
			t.Errorf("set %v, want the field of the streams", b.Set)
		}
	}
}

// TestIdempotencyKeysNeedMemory compares the memory of keys with the measured one: 18 MB
// for a stream with two full generations.
func TestIdempotencyKeysNeedMemory(t *testing.T) {
	t.Parallel()
	l := loadOf(1_000, 1<<10, 10)
	l.Keys = true
	if got := newPlan(l).Cache.KeyMiB * (1 << 20); math.Abs(got-10*18.28e6) > 1e5 {
		t.Errorf("the keys of ten busy streams need %.1f MB, want 183", got/1e6)
	}
	// Ten requests a second of one stream are 36,000 in an hour.
	l.Rate, l.Streams = 10, 1
	if got := newPlan(l).Cache.KeyMiB * (1 << 20); math.Abs(got-2*36_000*91.4) > 1e4 {
		t.Errorf("the keys of a quiet stream need %.1f MB, want 6.6", got/1e6)
	}
	l.Batch = 100
	if got := newPlan(l).Cache.KeyMiB * (1 << 20); math.Abs(got-2*360*91.4) > 100 {
		t.Errorf("the keys of batches need %.1f kB, want 66: a batch has one key", got/1e3)
	}
	// 300 streams have 5.5 GB of keys, which no t4g.small can hold.
	many := loadOf(9_000, 100, 300)
	without := newPlan(many)
	many.Keys = true
	with := newPlan(many)
	if with.Cache.Dollars <= without.Cache.Dollars {
		t.Errorf("5.5 GB of keys change nothing: %+v", with.Cache)
	}
	if room := with.Cache.node().usable() - many.shardKeys(with.Cache.Shards); with.Cache.BacklogMinutes < many.BacklogMinutes*0.999 || room < 0 {
		t.Errorf("beside the keys there is room for %.2f minutes, want %g", with.Cache.BacklogMinutes, many.BacklogMinutes)
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
		if want := bill.Dollars(floor.Lines(p.Load.DrainerMemory)); p.Floor != want {
			t.Errorf("%s: the floor of the plan is $%.2f, want $%.2f", profile, p.Floor, want)
		}
		// The model counts every metric, also those that have values only with traffic.
		idle := p.Dollars - float64(p.Watching.Metrics-floor.Metrics)*bill.MetricMonth
		if math.Abs(idle-p.Floor) > 1 {
			t.Errorf("%s: an idle deployment costs $%.2f, the floor is $%.2f", profile, idle, p.Floor)
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
		"-profile tiny":                           `profile: "tiny": want standard or small`,
		"-front cloudfront":                       `front: "cloudfront"`,
		"-no-tap -on-demand":                      "-on-demand: streams without a tap",
		"-no-tap -outage 1m":                      "streams with a tap",
		"-batch 0":                                "-batch 0: want 1 to 10000",
		"-batch 10000":                            "are more than a body may have",
		"-profile small -outage 1m":               "simulate only front=api, cache=nodes",
		"-cache serverless -node cache.m7g.large": "-node cache.m7g.large: a serverless cache has no nodes",
	} {
		if err := run(strings.Fields(args), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
