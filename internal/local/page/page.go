// Package page is the live page of the pipeline on one machine: a picture of the
// pipeline with what moves in it, the last minutes of each stream, its newest
// records, the archive, a form that posts a record, and faults to inject.
//
// It watches and disturbs a pipeline through the pipeline's own seams, and keeps a
// fixed number of samples and of cut records, whatever passes. It serves requests
// of this machine only.
package page

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/drain"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Options says what the page shows.
type Options struct {
	// Streams, Deployment, Data, User and Password are those of the pipeline's
	// own options; Deployment is "datasink" by default.
	Streams    *stream.Set
	Deployment string
	Data       string
	User       string
	Password   string
	// Now is the clock. Default time.Now.
	Now func() time.Time
	Log *slog.Logger // nil: slog.Default
}

// Page is the page of one pipeline. It is safe for concurrent use.
//
// Give Seams to the pipeline, start it, run Run beside it, and call Heal before
// the pipeline is to stop.
type Page struct {
	o       Options
	archive string          // the folder of the objects
	left    map[string]bool // buffers that an earlier process left to Firehose
	streams []*meter        // in the order of streams.json
	byName  map[string]*meter
	faults  [len(faultKinds)]fault
	requests

	// queue and drainer are set while the pipeline starts.
	queue   local.Queue
	drainer *local.Function

	mu       sync.Mutex
	samples  int64
	sampled  time.Time
	apiRate  float64 // requests a second
	apiTime  time.Duration
	sent     sentResult
	started  time.Time
	drains   atomic.Int64 // invocations of the drainer
	draining atomic.Int64 // of those, the ones that run
	sweeping atomic.Bool
	sweepTo  time.Time // until when sweeps follow the end of a fault
	sweeps   sync.WaitGroup
}

// requests counts the invocations of ingest since the pipeline started.
type requests struct {
	accepted, refused, answered, nanoseconds atomic.Int64
	// before is what the last sample saw.
	before struct{ answered, nanoseconds int64 }
}

// New returns the page of a pipeline that has not started yet.
func New(o Options) *Page {
	if o.Deployment == "" {
		o.Deployment = "datasink"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	p := &Page{
		o: o, archive: filepath.Join(o.Data, "archive"), started: o.Now(),
		left: make(map[string]bool), byName: make(map[string]*meter),
	}
	for _, s := range o.Streams.All() {
		m := newMeter(s)
		p.streams = append(p.streams, m)
		p.byName[s.Name] = m
		p.byName[stream.ResourceName(o.Deployment, s.Name)] = m
	}
	// A pattern of a folder's name that is no pattern finds nothing.
	buffers, _ := filepath.Glob(filepath.Join(o.Data, "firehose", "*", "*.buffer"))
	for _, path := range buffers {
		p.left[strings.TrimSuffix(filepath.Base(path), ".buffer")] = true
	}
	p.faults[drainerKilled].alive, p.faults[drainerKilled].kill = context.WithCancel(context.Background())
	return p
}

// every is the time between two samples.
const every = time.Second

// Run takes samples until ctx ends. After a fault it also sweeps, as the schedule
// does, but sooner: what the fault has left behind is to move while one looks.
func (p *Page) Run(ctx context.Context) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	defer p.sweeps.Wait()
	p.sample(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			p.sample(ctx)
			p.sweepAfterFault(ctx)
		}
	}
}

// inspectAll is after how many samples a queue is read that seems to rest.
const inspectAll = 10

func (p *Page) sample(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, every)
	defer cancel()
	all := p.samples%inspectAll == 0
	states := make(map[*meter]queue.State)
	drains := p.drains.Load()
	rests := p.draining.Load() == 0
	for _, m := range p.streams {
		if !m.touched.Swap(false) && !m.waits.Load() && !all {
			continue
		}
		// A fault cuts the functions off; what Redis holds is there all the same.
		state, err := p.queue.Inspect(ctx, m.stream.Name)
		if err != nil {
			p.o.Log.DebugContext(ctx, "page: queue not read", "stream", m.stream.Name, "error", err)
			m.touched.Store(true)
			continue
		}
		m.waits.Store(state.Depth+state.ClaimedRecords > 0)
		states[m] = state
	}
	now := p.o.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	elapsed := every.Seconds()
	if !p.sampled.IsZero() {
		elapsed = max(now.Sub(p.sampled).Seconds(), 0.001)
	}
	for _, m := range p.streams {
		if state, ok := states[m]; ok {
			m.state = state
		}
		m.sample(now, elapsed)
		if rests && p.drains.Load() == drains && m.state.ClaimedRecords == 0 {
			m.twice = max(0, m.tapped.Load()-m.forwarded.Load())
		}
	}
	answered, spent := p.answered.Load(), p.nanoseconds.Load()
	p.apiRate = float64(answered-p.before.answered) / elapsed
	if n := answered - p.before.answered; n > 0 {
		p.apiTime = time.Duration((spent - p.before.nanoseconds) / n)
	}
	p.before.answered, p.before.nanoseconds = answered, spent
	p.sampled = now
	p.samples++
}

// find notes what the queues hold before anything moves: a Redis outside this
// process may hold something.
func (p *Page) find() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*every)
	defer cancel()
	for _, m := range p.streams {
		state, err := p.queue.Inspect(ctx, m.stream.Name)
		if err != nil {
			p.o.Log.WarnContext(ctx, "page: queue not read", "stream", m.stream.Name, "error", err)
			return
		}
		m.found.Store(state.Depth + state.ClaimedRecords)
	}
}

// sweepFor is how long sweeps follow the end of a fault: longer than the lease of
// a claim that a killed drainer has left.
const sweepFor = time.Minute

func (p *Page) sweepAfterFault(ctx context.Context) {
	p.mu.Lock()
	due := p.o.Now().Before(p.sweepTo)
	p.mu.Unlock()
	waits := false
	for _, m := range p.streams {
		waits = waits || m.waits.Load()
	}
	if !due || !waits || p.drainer == nil || !p.sweeping.CompareAndSwap(false, true) {
		return
	}
	p.sweeps.Go(func() {
		defer p.sweeping.Store(false)
		if _, err := p.drainer.Invoke(context.WithoutCancel(ctx), []byte(drain.SweepEvent)); err != nil {
			p.o.Log.DebugContext(ctx, "page: sweep failed", "error", err)
		}
	})
}

// Seams watch the pipeline, serve the page beside its HTTP API and are where the
// faults are. One pipeline can have them.
func (p *Page) Seams() local.Seams {
	return local.Seams{
		IngestQueue: func(q local.Queue) local.Queue {
			p.queue = q
			p.find()
			return &watchedQueue{Queue: q, page: p}
		},
		DrainerQueue: func(q local.Queue) local.Queue { return &watchedQueue{Queue: q, page: p, drainer: true} },
		Kinesis:      p.watchKinesis,
		Firehose:     p.watchFirehose,
		Archive:      p.watchArchive,
		Deliver:      p.watchDeliver,
		Invoke:       p.watchFunction,
		API:          p.serve,
	}
}

var _ http.Handler = (*site)(nil)
