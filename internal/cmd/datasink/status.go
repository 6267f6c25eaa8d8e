package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/operate/failed"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"golang.org/x/sync/errgroup"
)

type statusVerb struct {
	Interval time.Duration `default:"2s" help:"Time between the two inspections from which the rates are computed."`
	Watch    bool          `short:"w" help:"Print a new table after each interval, until an interrupt."`
	JSON     bool          `name:"json" group:"output" help:"Print a JSON array with an object for each stream; with --watch one array for each interval."`
	connection
}

// Help shows with datasink status --help.
func (*statusVerb) Help() string {
	return `A line for each stream: the records that wait in its queue, how long the oldest
one does (in queue and claims), records accepted and forwarded a second, the
records that drainers have claimed, the objects under failed/ and aws/lambda/
that were not redriven, and how long ago the last object was written.

A stream that streams.json does not name (any more), but that has records in Redis
or under failed/, is marked with an asterisk.

Examples:

  datasink status
  datasink status --watch --interval 5s
  datasink status --json | jq '.[] | select(.queued > 1000)'`
}

// streamStatus is a line of the table.
type streamStatus struct {
	Stream string `json:"stream"`
	// Orphan: streams.json does not name it.
	Orphan bool  `json:"orphan,omitempty"`
	Queued int64 `json:"queued"`
	// OldestSeconds is how long the oldest record waits; 0 when there is none.
	OldestSeconds float64 `json:"oldestSeconds"`
	// The rates are in records a second.
	AcceptedRate  float64 `json:"acceptedRate"`
	ForwardedRate float64 `json:"forwardedRate"`
	Claims        int64   `json:"claims"`
	Claimed       int64   `json:"claimed"`
	// FailedObjects counts objects; absent when the archive is out of reach.
	FailedObjects *int `json:"failedObjects,omitempty"`
	// The last object; absent when there is none.
	LastObject   string    `json:"lastObject,omitempty"`
	LastObjectAt time.Time `json:"lastObjectAt,omitzero"`
}

// Run prints the table, once or again and again.
func (v *statusVerb) Run(ctx context.Context, c console) error {
	if v.Interval < 100*time.Millisecond {
		return fmt.Errorf("--interval=%v: want 100ms or more", v.Interval)
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	t, err := v.find(ctx, c)
	if err != nil {
		return err
	}
	before, err := look(ctx, t)
	for err == nil {
		if err = pause(ctx, v.Interval); err != nil {
			break
		}
		var now sample
		if now, err = look(ctx, t); err != nil {
			break
		}
		var archived archiveStatus
		if archived, err = lookAtArchive(ctx, t, now.names()); err != nil {
			break
		}
		if err = v.print(c, statusOf(before, now, archived), now.at); err != nil || !v.Watch {
			return err
		}
		before = now
	}
	if errors.Is(err, context.Canceled) && v.Watch {
		return nil // an interrupt is how it ends
	}
	return err
}

// sample is the state of the queues at a time.
type sample struct {
	at      time.Time
	streams map[string]queue.State
	orphans map[string]queue.State
}

func look(ctx context.Context, t deployment.Target) (sample, error) {
	inspection, err := t.Inspect(ctx)
	return sample{time.Now(), inspection.Streams, inspection.Orphans}, err
}

func (s sample) names() []string {
	return slices.Sorted(maps.Keys(s.streams))
}

// archiveStatus is what the archive tells.
type archiveStatus struct {
	known  bool
	failed map[string]int
	latest map[string]bucket.Object
}

// lookups bounds the streams that are looked up in the archive at once.
const lookups = 8

// lookAtArchive counts dead letters and finds the last objects. An archive that
// is not served tells nothing.
func lookAtArchive(ctx context.Context, t deployment.Target, streams []string) (archiveStatus, error) {
	a := archiveStatus{known: true, failed: make(map[string]int), latest: make(map[string]bucket.Object)}
	bucket, err := t.Archive(ctx)
	if errors.Is(err, deployment.ErrNotLocal) {
		return archiveStatus{}, nil
	}
	if err != nil {
		return a, err
	}
	for o, err := range failed.List(ctx, bucket.Bucket, failed.Filter{}) {
		if err != nil {
			return a, err
		}
		if o.Marker == nil || len(o.Marker.Left) > 0 {
			a.failed[o.Stream]++
		}
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for _, name := range streams {
		group.Go(func() error {
			latest, ok, err := bucket.Latest(ctx, name)
			if ok {
				mu.Lock()
				defer mu.Unlock()
				a.latest[name] = latest
			}
			return err
		})
	}
	return a, group.Wait()
}

// statusOf makes a line of each stream.
func statusOf(before, now sample, archived archiveStatus) []streamStatus {
	lines := []streamStatus{}
	seconds := now.at.Sub(before.at).Seconds()
	add := func(name string, orphan bool, s, then queue.State) {
		l := streamStatus{
			Stream: name, Orphan: orphan, Queued: s.Depth, Claims: s.Claims, Claimed: s.ClaimedRecords,
			AcceptedRate: rate(then.Accepted, s.Accepted, seconds), ForwardedRate: rate(then.Forwarded, s.Forwarded, seconds),
		}
		if !s.OldestReceivedAt.IsZero() {
			l.OldestSeconds = max(now.at.Sub(s.OldestReceivedAt).Seconds(), 0)
		}
		if archived.known {
			n := archived.failed[name]
			l.FailedObjects = &n
			if latest, ok := archived.latest[name]; ok {
				l.LastObject, l.LastObjectAt = latest.Key, latest.WrittenAt
			}
		}
		lines = append(lines, l)
	}
	for _, name := range now.names() {
		add(name, false, now.streams[name], before.streams[name])
	}
	orphans := maps.Clone(now.orphans)
	if orphans == nil {
		orphans = make(map[string]queue.State)
	}
	for name := range archived.failed {
		if _, known := now.streams[name]; !known {
			orphans[name] = now.orphans[name]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(orphans)) {
		add(name, true, orphans[name], before.orphans[name])
	}
	return lines
}

// rate is how much a counter grew a second; 0 after it began anew.
func rate(before, now int64, seconds float64) float64 {
	if now < before || seconds <= 0 {
		return 0
	}
	return float64(now-before) / seconds
}

func (v *statusVerb) print(c console, lines []streamStatus, now time.Time) error {
	if v.JSON {
		return printJSON(c.out, lines)
	}
	var rows [][]string
	for _, l := range lines {
		row := []string{
			l.Stream, fmt.Sprint(l.Queued), "-", fmt.Sprintf("%.1f", l.AcceptedRate), fmt.Sprintf("%.1f", l.ForwardedRate),
			fmt.Sprintf("%d (%d)", l.Claimed, l.Claims), "-", "-",
		}
		if l.Orphan {
			row[0] += " *"
		}
		if l.OldestSeconds > 0 {
			row[2] = ageText(time.Duration(l.OldestSeconds * float64(time.Second)))
		}
		if l.FailedObjects != nil {
			row[6] = fmt.Sprint(*l.FailedObjects)
		}
		if !l.LastObjectAt.IsZero() {
			row[7] = ageText(now.Sub(l.LastObjectAt)) + " ago"
		}
		rows = append(rows, row)
	}
	if v.Watch && isTerminal(c.out) {
		fmt.Fprint(c.out, "\x1b[H\x1b[2J") // clears the screen
	}
	if v.Watch {
		fmt.Fprintln(c.out, now.UTC().Format(time.DateTime)+" UTC")
	}
	return printTable(c.out, []string{"STREAM", "QUEUED", "OLDEST", "IN/S", "OUT/S", "CLAIMED (CLAIMS)", "FAILED", "LAST OBJECT"}, rows)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
