// Package page is the live page of the local pipeline: a diagram of the pipeline
// with its current numbers, plots of each stream, its newest records, the archive, a
// form that posts records, and faults that can be injected.
//
// The page counts records by the pipeline's observers and injects faults by its seams.
// Its memory does not grow with the number of records. It serves requests from this
// machine only, unless Options.PublicAddr is set.
package page

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

// Options configures a Page.
type Options struct {
	// Deployment, Data, User and Password are the pipeline's own options. The default
	// of Deployment is "datasink".
	Deployment string
	Data       string
	User       string
	Password   string
	// PublicAddr is an address at which other machines may open the page. Empty: only
	// this machine may.
	PublicAddr string
	// Log is the logger. Default slog.Default.
	Log *slog.Logger
}

// Page is the page of one pipeline. It is safe for concurrent use.
//
// Pass Seams and Observers to the pipeline, start the pipeline, call Run in a goroutine,
// and call Heal before the pipeline stops.
type Page struct {
	o        Options
	archive  string          // the folder of the objects
	pipeline *local.Pipeline // is set while the pipeline starts
	meters   atomic.Pointer[meters]
	faults   [len(faultKinds)]fault
	requests requests

	mu       sync.Mutex
	samples  int64
	sampled  time.Time
	apiRate  float64 // requests a second
	apiTime  time.Duration
	sent     sentResult
	redis    redisHealth
	sweeping atomic.Bool
	sweepTo  time.Time // the end of the sweeps that follow a fault
	sweeps   sync.WaitGroup
}

// requests counts the invocations of ingest since the pipeline started.
type requests struct {
	refused, answered, nanoseconds atomic.Int64
	// before holds the values of the last sample.
	before struct{ answered, nanoseconds int64 }
}

// New returns the page of a pipeline that will be started later.
func New(o Options) *Page {
	if o.Deployment == "" {
		o.Deployment = "datasink"
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	p := &Page{o: o, archive: filepath.Join(o.Data, "archive")}
	p.meters.Store(&meters{})
	p.faults[drainerKilled].alive, p.faults[drainerKilled].kill = context.WithCancel(context.Background())
	return p
}

// every is the time between two samples.
const every = time.Second

// Run takes samples until ctx ends. After a fault it also invokes sweeps, more often
// than the schedule does, so that a person can watch the backlog drain.
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

// inspectAll is the number of samples after which an idle queue is read as well.
const inspectAll = 10

func (p *Page) sample(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, every)
	defer cancel()
	all := p.samples%inspectAll == 0
	seen := make(map[*meter]inspection)
	if p.look(ctx, all) {
		for _, m := range p.all() {
			if m.touched.Swap(false) || m.waits.Load() || all {
				seen[m] = p.inspect(ctx, m)
			}
		}
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	elapsed := every.Seconds()
	if !p.sampled.IsZero() {
		elapsed = max(now.Sub(p.sampled).Seconds(), 0.001)
	}
	for _, m := range p.all() {
		if i, ok := seen[m]; ok {
			m.observe(i)
		}
		m.sample(now, elapsed)
	}
	answered, spent := p.requests.answered.Load(), p.requests.nanoseconds.Load()
	before := &p.requests.before
	p.apiRate = float64(answered-before.answered) / elapsed
	if n := answered - before.answered; n > 0 {
		p.apiTime = time.Duration((spent - before.nanoseconds) / n)
	}
	before.answered, before.nanoseconds = answered, spent
	p.sampled = now
	p.samples++
}

// inspection is the state of a queue, and the least number of records that were
// missing when it was read.
type inspection struct {
	state queue.State
	low   int64
	err   error
}

// inspect reads a queue. Faults of the page do not affect it, because Redis has the
// records all the same.
func (p *Page) inspect(ctx context.Context, m *meter) inspection {
	// Records are counted after Redis has accepted them, and after it has removed
	// them. Those that are being acknowledged may be counted or not.
	queued := m.pushed.Load() + m.foundInRedis
	settling := m.settling.Load()
	state, err := p.pipeline.Queue().Inspect(ctx, m.name)
	if err != nil {
		p.o.Log.DebugContext(ctx, "page: reading the queue", "stream", m.name, "error", err)
		m.touched.Store(true)
		return inspection{err: err}
	}
	settling += m.settling.Load()
	expected := queued - settling - m.forwarded.Load() - m.deadAtDrainer.Load()
	actual := state.Depth + state.ClaimedRecords
	m.waits.Store(actual > 0 || expected > 0)
	return inspection{state: state, low: expected - actual}
}

// sweepFor is the time for which sweeps follow a fault. It is longer than the lease
// of a claim, which a killed drainer leaves behind.
const sweepFor = time.Minute

func (p *Page) sweepAfterFault(ctx context.Context) {
	p.mu.Lock()
	due := time.Now().Before(p.sweepTo)
	p.mu.Unlock()
	waits := false
	for _, m := range p.all() {
		waits = waits || m.waits.Load()
	}
	if !due || !waits || !p.sweeping.CompareAndSwap(false, true) {
		return
	}
	p.sweeps.Go(func() {
		defer p.sweeping.Store(false)
		if err := p.pipeline.Sweep(context.WithoutCancel(ctx)); err != nil {
			p.o.Log.DebugContext(ctx, "page: sweep failed", "error", err)
		}
	})
}

// Seams returns the seams that inject faults, keep the newest records and serve the page
// beside the HTTP API. Only one pipeline can have them.
func (p *Page) Seams() local.Seams {
	return local.Seams{
		IngestQueue:  func(q local.Queue) local.Queue { return &watchedQueue{Queue: q, page: p} },
		DrainerQueue: func(q local.Queue) local.Queue { return &watchedQueue{Queue: q, page: p, drainer: true} },
		Kinesis:      p.watchKinesis,
		Archive:      p.watchArchive,
		Invoke:       p.watchFunction,
		API:          p.serve,
	}
}

var _ http.Handler = (*site)(nil)
