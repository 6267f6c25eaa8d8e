package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/rig/lambdatest"
	"github.com/klauspost/compress/gzip"
)

// memories are the memory settings of the table in MB. Lambda allots CPU in
// proportion to memory: one vCPU at 1,769 MB.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
var memories = []int{128, 256, 512, wholeCPU}

const (
	wholeCPU = 1769
	// perGBSecond is the price of a GB-second on arm64 in us-east-1, in US dollars.
	// https://aws.amazon.com/lambda/pricing/
	perGBSecond = 0.0000133334
)

// job is one kind of invocation.
type job struct {
	name, function string
	event          []byte
	records        int
	// backlog, if not 0, is the size in bytes of the records that are queued before
	// each invocation.
	backlog int
	// times is the number of measured invocations.
	times int
	// wait is the estimated time that an invocation waits for services. Here they
	// answer at once.
	wait time.Duration
	// overlaps reports whether the function computes while it waits.
	overlaps bool
	// largest is the job of the same function that needs the most memory.
	largest *job
}

// Round trips within a Region, estimated.
const (
	redisTrip   = 700 * time.Microsecond // over TLS
	kinesisTrip = 20 * time.Millisecond
	putTrip     = 60 * time.Millisecond // a full PutRecordBatch
)

func (l *lab) jobs() ([]job, error) {
	full, carried := kinesisEvent(1<<10, fullBatch)
	few, fewCarried := kinesisEvent(1<<10, 100)
	large, largeCarried := kinesisEvent(1_000_000, fullBatch)
	body, err := largestBody()
	if err != nil {
		return nil, err
	}
	post := &job{function: "ingest", event: body, records: 1}
	bodies := &job{function: "drainer", event: []byte(drain.SweepEvent), records: 300, backlog: 900_000}
	batch := &job{function: "bridge", event: large, records: largeCarried}
	backlog := max(l.few(200_000), 500)
	const claim, inFlight = 500, 8
	return []job{
		{name: "ingest", function: "ingest", event: postEvent(jsonBody(1<<10), true), records: 1, times: l.few(4000), wait: redisTrip, largest: post},
		{
			name: "drainer, a long backlog", function: "drainer", event: []byte(drain.SweepEvent), records: backlog, backlog: 1 << 10,
			times: 3, wait: time.Duration(backlog/claim/inFlight) * kinesisTrip, overlaps: true, largest: bodies,
		},
		{
			name: "drainer, 100 records a wake-up", function: "drainer", event: []byte(drain.SweepEvent), records: 100, backlog: 1 << 10,
			times: max(2, l.few(200)), wait: kinesisTrip + 3*redisTrip, largest: bodies,
		},
		{name: "bridge, full batches", function: "bridge", event: full, records: carried, times: max(2, l.few(100)), wait: 2 * putTrip, largest: batch},
		{name: "bridge, 100 records a batch", function: "bridge", event: few, records: fewCarried, times: max(2, l.few(300)), wait: putTrip / 2, largest: batch},
	}, nil
}

// largestBody returns the event of a body of 11 MiB that is compressed to almost the
// 4 MiB that ingest accepts.
func largestBody() ([]byte, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	body := randomBody(11 << 20)
	for i := range body {
		body[i] = "ACGT"[body[i]&3] // compresses to two bits a byte
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	event := postEvent(packed.Bytes(), false)
	return bytes.Replace(event, []byte(`"content-type"`), []byte(`"content-encoding":"gzip","content-type"`), 1), nil
}

// billed writes a Markdown table of the cost of records in each function at several
// memory settings, estimated from the CPU time of the function's process, and of the
// peak memory with the largest records.
func billed(l *lab, _ int) ([]figure, error) {
	jobs, err := l.jobs()
	if err != nil {
		return nil, err
	}
	fmt.Fprint(&l.notes, "| records of 1 KiB | CPU of one |")
	for _, memory := range memories {
		fmt.Fprintf(&l.notes, " %d MB |", memory)
	}
	fmt.Fprintf(&l.notes, "\n|---|---|%s\n", strings.Repeat("---|", len(memories)))
	for _, j := range jobs {
		cpu, _, err := l.measure(j, j.times, wholeCPU)
		if err != nil {
			return nil, fmt.Errorf("running %s: %w", j.name, err)
		}
		fmt.Fprintf(&l.notes, "| %s | %s us |", j.name, short(cpu.Seconds()*1e6/float64(j.records)))
		for _, memory := range memories {
			ms := j.billedMillis(cpu, memory)
			fmt.Fprintf(&l.notes, " %s ms, $%.5f |", short(ms*1000/float64(j.records)), dollars(ms, memory)*1e6/float64(j.records))
		}
		fmt.Fprintln(&l.notes)
	}
	for i, j := range jobs {
		if i > 0 && jobs[i-1].function == j.function {
			continue
		}
		fmt.Fprintf(&l.notes, "| %s, the largest records | – |", j.function)
		for _, memory := range memories {
			_, peak, err := l.measure(*j.largest, l.few(4), memory)
			if err != nil {
				return nil, fmt.Errorf("running %s with %d MB: %w", j.function, memory, err)
			}
			fmt.Fprintf(&l.notes, " peak %.0f MB |", peak/1e6)
		}
		fmt.Fprintln(&l.notes)
	}
	fmt.Fprint(&l.notes, "\nBilled milliseconds of 1,000 records, and dollars of a million, without the price of requests.\n\n")
	return nil, nil
}

// billedMillis returns the milliseconds that Lambda bills for one invocation.
func (j job) billedMillis(cpu time.Duration, memory int) float64 {
	computing := cpu.Seconds() * 1000 * wholeCPU / float64(memory)
	waiting := j.wait.Seconds() * 1000
	if j.overlaps {
		return math.Ceil(max(computing, waiting))
	}
	return math.Ceil(computing + waiting)
}

func dollars(ms float64, memory int) float64 {
	return ms / 1000 * float64(memory) / 1024 * perGBSecond
}

// measure does a job once, to warm up, and then a number of times in a process of its
// own with a memory setting in MB. It returns the CPU time of one invocation, and the
// peak memory of the process in bytes.
func (l *lab) measure(j job, times, memory int) (cpu time.Duration, peak float64, err error) {
	f, err := l.function("ours", j.function, fmt.Sprintf("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%d", memory))
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	if err := l.invoke(f, j); err != nil {
		return 0, 0, err
	}
	pid := f.Processes()[0].PID()
	before, err := usedCPU(pid)
	if err != nil {
		return 0, 0, err
	}
	for range times {
		if err := l.invoke(f, j); err != nil {
			return 0, 0, err
		}
	}
	after, cpuErr := usedCPU(pid)
	peak, peakErr := peakMemory(pid)
	if err := errors.Join(cpuErr, peakErr); err != nil {
		return 0, 0, err
	}
	return (after - before) / time.Duration(max(times, 1)), peak, l.empty("")
}

// invoke does a job once and checks the answer.
func (l *lab) invoke(f *lambdatest.Function, j job) error {
	if j.backlog > 0 {
		e := envelopeOf(orders, randomBody(j.backlog))
		if err := l.fill(queueKey(orders), j.records, func(int) []byte { return e }); err != nil {
			return err
		}
	}
	ctx, cancel := invocation(120)
	defer cancel()
	out, err := f.Invoke(ctx, j.event)
	if err == nil && j.function == "ingest" && !bytes.Contains(out, []byte(`"statusCode":202`)) {
		err = fmt.Errorf("%w: %.200s", errUnexpected, out)
	}
	return err
}
