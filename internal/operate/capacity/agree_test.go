package main

import (
	"fmt"
	"math"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
	pipelinequeue "github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

func TestPartsAndGenerationsAreThoseOfTheQueue(t *testing.T) {
	t.Parallel()
	if partEnvelopes != pipelinequeue.MaxPartEnvelopes {
		t.Errorf("a part has %d envelopes, want %d", partEnvelopes, pipelinequeue.MaxPartEnvelopes)
	}
	if rememberedKeys != pipelinequeue.RememberedKeys {
		t.Errorf("a generation has %d keys, want %d", rememberedKeys, pipelinequeue.RememberedKeys)
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

// TestMeasuredFiguresFollow checks that the model reproduces what was measured.
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
	if full.records*l.eventSize() > invocationBytesMax || full.records > settings.BridgeRecords {
		t.Errorf("a batch of %g records of %g bytes", full.records, l.eventSize())
	}
}
