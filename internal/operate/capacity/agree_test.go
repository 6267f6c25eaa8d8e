package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

func parseFile(t *testing.T, path string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestSettingsAreTheApps holds names, defaults and bounds of the CDK app's settings.
func TestSettingsAreTheApps(t *testing.T) {
	t.Parallel()
	type declared struct{ byDefault, most string }
	got := make(map[string]declared)
	ast.Inspect(parseFile(t, "../../../cdk/datasink/declared.go"), func(n ast.Node) bool {
		entry, ok := n.(*ast.CompositeLit)
		if !ok || entry.Type != nil || len(entry.Elts) != 4 {
			return true
		}
		name, _ := strconv.Unquote(literal(entry.Elts[0]))
		byDefault, _ := strconv.Unquote(literal(entry.Elts[1]))
		d := declared{byDefault: byDefault}
		if call, ok := entry.Elts[3].(*ast.CallExpr); ok && len(call.Args) == 3 {
			d.most = strings.ReplaceAll(literal(call.Args[2]), "_", "")
		}
		got[name] = d
		return true
	})
	text := strconv.Itoa
	for name, want := range map[string]declared{
		"throttleRate":       {text(throttleRate), text(throttleRateMax)},
		"cacheNodeType":      {cacheNodeType, ""},
		"cacheShards":        {text(cacheShards), text(cacheShardsMax)},
		"cacheReplicas":      {text(cacheReplicas), "5"},
		"drainerConcurrency": {text(drainerConcurrency), text(drainerConcurrencyMax)},
		"streamDrainers":     {text(streamDrainers), text(drainerConcurrencyMax)},
		"ingestMemory":       {text(ingestMemory), text(memoryMax)},
		"drainerMemory":      {text(drainerMemory), text(memoryMax)},
		"bridgeMemory":       {text(bridgeMemory), text(memoryMax)},
	} {
		if name == "cacheNodeType" {
			want.most = got[name].most // a form, not a number
		}
		if got[name] != want {
			t.Errorf("the app's setting %s is %+v, want %+v", name, got[name], want)
		}
	}
}

func literal(e ast.Expr) string {
	if b, ok := e.(*ast.BasicLit); ok {
		return b.Value
	}
	return ""
}

// TestConstantsAreTheApps holds what is repeated of code that cannot be imported.
func TestConstantsAreTheApps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file, text string
	}{
		{"cdk/datasink/streams.go", fmt.Sprintf(`bridgeRecords = %d_%03d\n`, bridgeRecords/1000, bridgeRecords%1000)},
		{"cdk/datasink/streams.go", fmt.Sprintf(`bridgeWindow += %d `, bridgeWindow)},
		{"cdk/datasink/streams.go", fmt.Sprintf(`ParallelizationFactor: +jsii\.Number\(%d\)`, parallelization)},
		{"cdk/datasink/wake.go", `rate\(1 minute\)`}, // sweepSeconds
		{"internal/pipeline/drain/scale.go", fmt.Sprintf(`scaleInterval = %d \* time\.Second`, scaleSeconds)},
		{"internal/pipeline/lambdasize/lambdasize.go", fmt.Sprintf(`perVCPU = %d\n`, vCPUMemory)},
		{"README.md", fmt.Sprintf(`\| streams of one deployment \| %d \|`, maxStreams)},
		{"README.md", fmt.Sprintf(`the deployment has %d with the default cache, each stream adds %d,`, serviceAlarms, streamAlarms)},
		{"README.md", `three interface endpoints in two zones`},
	} {
		b, err := os.ReadFile("../../../" + c.file)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(c.text).Match(b) {
			t.Errorf("%s has no match of %s", c.file, c.text)
		}
	}
	if sweepSeconds != 60 || interfaceEndpoints != 3 || zones != 2 {
		t.Error("a sweep is every minute, and three interface endpoints stand in two zones")
	}
}

func TestBoundsAreThoseOfStreams(t *testing.T) {
	t.Parallel()
	for shards, ok := range map[int]bool{maxShards: true, maxShards + 1: false} {
		_, err := stream.Parse(fmt.Appendf(nil, `{"streams": [{"name": "orders", "shards": %d}]}`, shards))
		if (err == nil) != ok {
			t.Errorf("%d shards: %v", shards, err)
		}
	}
	set, err := stream.Parse([]byte(`{"streams": [{"name": "orders"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if s := set.All()[0]; s.Shards != defaultShards || s.BufferSeconds != bufferSeconds || s.BufferMiB != bufferMiB {
		t.Errorf("the defaults of a stream are %+v", s)
	}
	if service, each := metrics(); service >= len(metric.All()) || service < len(metric.All())/2 || each != 3 {
		t.Errorf("metrics() = %d, %d", service, each)
	}
}

// TestMeasuredFiguresFollow holds that the model says what was measured.
func TestMeasuredFiguresFollow(t *testing.T) {
	t.Parallel()
	l := defaultLoad()
	l.Streams, l.DrainerMemory, l.IngestMemory, l.BridgeMemory = 1, vCPUMemory, vCPUMemory, vCPUMemory
	for _, c := range []struct {
		size int
		cpu  float64 // us
	}{{oneKiB, drainerCPU}, {smallBytes, drainerCPU * drainSmallCPU / drainRateCPU}} {
		// A drainer of one vCPU moves what one core does, and no more, unless its
		// claims in flight bound it first.
		l.Size, l.Rate = c.size, 1e6/c.cpu
		if inFlight := float64(drainer.ClaimsInFlight*drainer.ClaimRecords) / claimWait * 1000; l.Rate > inFlight {
			l.Rate = inFlight
		}
		if got := newPlan(l).Drainer.Stream; got != 1 {
			t.Errorf("%g records/s of %d bytes need %d drainers of a vCPU, want 1", l.Rate, l.Size, got)
		}
		l.Rate++
		if got := newPlan(l).Drainer.Stream; got != 2 {
			t.Errorf("%g records/s of %d bytes need %d drainers of a vCPU, want 2", l.Rate, l.Size, got)
		}
	}
	near := func(what string, got, want float64) {
		if math.Abs(got-want) > 1e-6*want {
			t.Errorf("%s: %g, want %g", what, got, want)
		}
	}
	near("CPU of Redis at 1 KiB", redisSeconds.at(oneKiB), redisCPU1KiB/1e6)
	near("CPU of Redis at 10 KiB", redisSeconds.at(10*oneKiB), redisCPU10KiB/1e6)
	near("CPU of ingest", ingestSeconds.at(oneKiB), ingestCPU/1e6)
	l.Size = oneKiB
	near("ingest", newPlan(l).Ingest.BilledMillis, math.Ceil(ingestCPU/1000+redisWait))
	// A full batch of 1 KiB records: its bytes at the measured rate, and one call.
	full := l.batchOf(1e9)
	near("bridge", l.bridgeMillis(full), math.Ceil(full.records*l.eventSize()/(bridgeRate*1e6)*1000+putWait))
	for _, size := range []int{0, 1, 255, 256, 65_535, 65_536, 1_000_000} {
		l.Size = size
		near(fmt.Sprintf("an envelope of %d bytes", size), l.queued(), float64(len(envelopeOf(size))))
	}
	l.Size = oneKiB
	if full.records*l.eventSize() > invocationBytesMax || full.records > bridgeRecords {
		t.Errorf("a batch of %g records of %g bytes", full.records, l.eventSize())
	}
}

// TestTheSettingsSayTheSame holds what the table of settings says of a drainer.
func TestTheSettingsSayTheSame(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	said := regexp.MustCompile(`A drainer moves about ([0-9,]+) records of 1 KiB a second with the default`).FindSubmatch(b)
	if said == nil {
		t.Fatal("the README does not say how much a drainer moves")
	}
	want, err := strconv.ParseFloat(strings.ReplaceAll(string(said[1]), ",", ""), 64)
	if err != nil {
		t.Fatal(err)
	}
	l := defaultLoad()
	l.Size = oneKiB
	if got := l.drains(); math.Abs(got-want) > want/10 {
		t.Errorf("a drainer moves %.0f records/s, the README says %.0f", got, want)
	}
}
