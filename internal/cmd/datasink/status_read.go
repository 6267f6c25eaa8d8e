package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/operate/failed"
	"github.com/data-sink/data-sink/internal/operate/remote"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"

	"golang.org/x/sync/errgroup"
)

// statusReader reads the state of a deployment. A part of the deployment that does
// not answer leaves its values unknown.
type statusReader struct {
	target deployment.Target
	// known are the streams of streams.json.
	known []string
	// counts has the number of records in each object of dead letters that was read.
	counts map[string]int
}

// queues is the state of all queues at one time.
type queues struct {
	at               time.Time
	streams, orphans map[string]queue.State
	// unreadable has the reason for each stream whose state cannot be read.
	unreadable map[string]string
	// taps has the streams that do not feed a tap, retired the retired streams.
	taps    map[string]stream.Tap
	retired []string
	// err is set if no state is known.
	err error
}

// inspectTimeout is longer than the drainer takes to find that Redis is unreachable.
const inspectTimeout = 40 * time.Second

func (s *statusReader) inspect(ctx context.Context) queues {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	inspection, err := s.target.Inspect(ctx)
	return queues{
		at: time.Now(), streams: inspection.Streams, orphans: inspection.Orphans, unreadable: inspection.Errors, taps: inspection.Taps, retired: inspection.Retired, err: err,
	}
}

// archived is the state of the archive.
type archived struct {
	// streams are the streams of streams.json and those that have a folder, if the
	// queues are unknown.
	streams []string
	// dead has the number of dead letters of each stream. It is a lower bound for a
	// stream in atLeast, which has objects that were not read.
	dead    map[string]int
	atLeast map[string]bool
	direct  map[string]int
	latest  map[string]bucket.Object
	err     error
}

const (
	// lookups is the number of concurrent requests to the archive.
	lookups = 8
	// countedObjects is the maximum number of objects of dead letters that one call
	// reads to count their records.
	countedObjects = 200
	// directPeriod is the period in which direct records are counted.
	directPeriod = time.Hour
)

// readArchive reads the archive of all streams that are in q or have dead letters. If q
// has none, it reads the archive of all streams that it can find.
func (s *statusReader) readArchive(ctx context.Context, q queues) archived {
	a := archived{dead: make(map[string]int), atLeast: make(map[string]bool), direct: make(map[string]int), latest: make(map[string]bucket.Object)}
	archive, err := s.target.Archive(ctx)
	if err != nil {
		a.err = err
		return a
	}
	if a.err = s.countDead(ctx, archive.Bucket, &a); a.err != nil {
		return a
	}
	names := slices.Concat(slices.Collect(maps.Keys(q.streams)), slices.Collect(maps.Keys(q.unreadable)), slices.Collect(maps.Keys(q.orphans)))
	if q.err != nil {
		if a.streams, a.err = s.findStreams(ctx, archive.Bucket); a.err != nil {
			return a
		}
		names = slices.Clone(a.streams)
	}
	names = slices.Sorted(slices.Values(slices.AppendSeq(names, maps.Keys(a.dead))))
	names = slices.DeleteFunc(slices.Compact(names), func(name string) bool { return stream.ValidateName(name) != nil }) // An orphan can have any name.
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for _, name := range names {
		group.Go(func() error {
			latest, ok, err := archive.Latest(ctx, name)
			if err != nil {
				return err
			}
			direct := 0
			for o, err := range archive.Hours(ctx, name+"/", q.at.Add(-directPeriod), q.at) {
				if err != nil {
					return err
				}
				if bucket.Direct(o.Key) != "" && o.WrittenAt.After(q.at.Add(-directPeriod)) {
					direct++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			a.direct[name] = direct
			if ok {
				a.latest[name] = latest
			}
			return nil
		})
	}
	a.err = group.Wait()
	return a
}

// lags is how far the bridge and the Firehose of each stream are behind.
type lags struct {
	streams map[string]remote.Lag
	err     error
}

// lagsTimeout bounds the wait for CloudWatch.
const lagsTimeout = 15 * time.Second

// readLags reads the lags of the streams of the deployment.
func (s *statusReader) readLags(ctx context.Context, q queues, a archived) lags {
	ctx, cancel := context.WithTimeout(ctx, lagsTimeout)
	defer cancel()
	read, err := s.target.Lags(ctx, streamsOf(q, a))
	return lags{read, err}
}

// findStreams returns the streams of streams.json and those with a folder in the
// archive.
func (s *statusReader) findStreams(ctx context.Context, b *bucket.Bucket) ([]string, error) {
	folders, err := b.Folders(ctx, "")
	if err != nil {
		return nil, err
	}
	names := slices.Clone(s.known)
	for _, folder := range folders {
		if name := strings.TrimSuffix(folder, "/"); name != "failed" && name != "aws" && !strings.HasPrefix(name, "_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// countDead counts the dead letters that were not redriven. An object that cannot be
// read, or whose marker cannot be read, has at least one record.
func (s *statusReader) countDead(ctx context.Context, b *bucket.Bucket, a *archived) error {
	read := 0
	for o, err := range failed.List(ctx, b, failed.Filter{}) {
		if err != nil && o.Key == "" {
			return err
		}
		if err == nil && o.Marker != nil {
			a.dead[o.Stream] += len(o.Marker.Left)
			continue
		}
		id := fmt.Sprintf("%s %d %d", o.Key, o.Size, o.WrittenAt.Unix())
		n, known := s.counts[id]
		if !known && err == nil && read < countedObjects {
			read++
			if n, known = countRecords(ctx, b, o); known {
				s.counts[id] = n
			}
		}
		if !known {
			n = max(n, 1)
			a.atLeast[o.Stream] = true
		}
		a.dead[o.Stream] += n
	}
	return context.Cause(ctx)
}

// countRecords counts the records of an object. It reports whether it could read the
// whole object.
func countRecords(ctx context.Context, b *bucket.Bucket, o failed.Object) (n int, whole bool) {
	for _, err := range failed.Records(ctx, b, o) {
		if err != nil {
			return n, false
		}
		n++
	}
	return n, true
}
