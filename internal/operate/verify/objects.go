package verify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
)

// object is an object that Firehose wrote.
type object struct {
	bucket.Object
	segments []segment
	// hour is the hour of the object's folder. start is when Firehose received the
	// object's first record, by the object's name, or hour if isNamed is false.
	// Firehose writes an object when it is due, or before.
	hour, start, due time.Time
	isNamed          bool
	// within: the object is in one of the hours that are verified. isNext: it is in
	// the hour behind them.
	within, isNext bool
	// matches are the lines that may explain the object's records. expected are the
	// lines of these that were logged from when the object began until it was due.
	matches, expected span
	// description is for a manifest; nil if none is wanted.
	description *description
	// surplus is the number of bytes that are left over by the comparison of units.
	surplus int64
}

// newObject returns an object of a folder, without its contents.
func (v *verification) newObject(o bucket.Object, hour time.Time) *object {
	x := &object{Object: o, hour: hour, start: hour, within: !hour.Before(v.begin()) && hour.Before(v.end())}
	received := hour.Add(time.Hour) // the last time at which start may be
	if start, ok := bucket.Start(o.Key); ok {
		x.start, x.isNamed, received = start, true, start.Add(time.Second)
	}
	last, written := received.Add(maxBuffer+maxInvocation), received.Add(maxBuffer)
	if at := o.WrittenAt.Add(time.Second); at.After(received) { // whole seconds
		last, written = earlier(last, at.Add(maxInvocation)), at
	}
	if x.isNext = !hour.Before(v.end()); x.isNext {
		last = written.Add(edge) // so that it takes no lines of the hours before
	}
	x.matches = v.index.span(x.start.Add(-edge), last)
	x.due = earlier(written, received.Add(v.Buffer))
	x.expected = v.index.span(x.start, x.due)
	return x
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// readObjects reads all objects, and explains the objects that Firehose wrote in
// the order in which they were begun.
func (v *verification) readObjects(ctx context.Context) error {
	var written []*object
	for _, o := range v.listed {
		hour, ok := bucket.Hour(o.Key)
		switch {
		case !ok: // not an object of this project
		case bucket.Direct(o.Key) == "":
			written = append(written, v.newObject(o, hour))
		case !hour.Before(v.begin()):
			if err := v.readDirect(ctx, o); err != nil {
				return err
			}
			v.progress(o)
		}
	}
	slices.SortStableFunc(written, func(a, b *object) int { return cmp.Or(a.start.Compare(b.start), cmp.Compare(a.Key, b.Key)) })
	var content bytes.Buffer
	for _, o := range written {
		if err := v.readArchived(ctx, &content, o); err != nil {
			return err
		}
		v.progress(o.Object)
	}
	v.match()
	return v.readNext(ctx, &content)
}

func (v *verification) progress(o bucket.Object) {
	if v.Progress != nil {
		v.Progress(o, len(v.listed))
	}
}

// readNext reads objects of the hour that begins where the verified hours end, if
// they are needed: they may hold records that were logged at the very end, and
// where bodies repeat they tell whether a line behind the end is left for a
// record of the verified hours.
func (v *verification) readNext(ctx context.Context, content *bytes.Buffer) error {
	end, horizon := v.end(), v.end()
	switch {
	case v.isDoubtful():
		horizon = end.Add(maxBuffer + maxInvocation)
	case v.To.Equal(end) && v.lacksEdge():
		horizon = end.Add(edge + time.Nanosecond)
	default:
		return nil
	}
	for o, err := range v.Objects.Hours(ctx, v.Stream+"/", end, end.Add(1)) {
		if err != nil {
			return err
		}
		x := v.newObject(o, end)
		if bucket.Direct(o.Key) != "" || !x.start.Before(horizon) {
			continue
		}
		if err := v.readArchived(ctx, content, x); err != nil {
			return err
		}
	}
	v.match()
	return v.resolve(ctx, content)
}

// lacksEdge reports whether a record that was logged at the very end is in no
// object and not in flight.
func (v *verification) lacksEdge() bool {
	for line := len(v.index.lines) - 1; line >= 0; line-- {
		p := v.index.lines[line]
		if p.LoggedAt.Before(v.To.Add(-edge)) {
			return false
		}
		if v.inWindow(p.LoggedAt) && v.objectOf[line] == nil && !v.isYoung(p.LoggedAt) {
			return true
		}
	}
	return false
}

// read reads the whole content of an object, decompressed, and writes its stored
// bytes to stored. The content of a damaged object ends at the damage.
func (v *verification) read(ctx context.Context, content *bytes.Buffer, o bucket.Object, stored io.Writer) error {
	content.Reset()
	r, err := v.open(ctx, o.Key, stored)
	if err == nil {
		_, err = content.ReadFrom(io.LimitReader(r, maxObject+1))
		_ = r.Close()
	}
	if err == nil && content.Len() > maxObject {
		return fmt.Errorf("reading %s: over %d bytes, which Firehose does not write", o.Key, maxObject)
	}
	if err != nil {
		return v.unreadable(ctx, o, int64(content.Len()), err)
	}
	return nil
}

// open opens the content of an object that consists of bodies, and writes its stored
// bytes to stored.
func (v *verification) open(ctx context.Context, key string, stored io.Writer) (io.ReadCloser, error) {
	if v.HoldsGzip {
		return v.Objects.OpenTee(ctx, key, stored)
	}
	return v.Objects.OpenPlainTee(ctx, key, stored)
}

// readArchived reads an object and explains it. What can be read of a damaged
// object is explained too.
func (v *verification) readArchived(ctx context.Context, content *bytes.Buffer, o *object) error {
	d := v.describe(o.Key)
	if err := v.read(ctx, content, o.Object, d); err != nil {
		return err
	}
	if o.within {
		v.report.Read.Objects++
		v.report.Read.Bytes += int64(content.Len())
	}
	if len(v.index.lines) == 0 && content.Len() > 0 && o.within && !v.isYoung(o.WrittenAt) {
		return fmt.Errorf("explaining %s: %w", o.Key, ErrNoLog)
	}
	o.segments = v.index.explain(piece{content.Bytes(), o.matches})
	v.objects = append(v.objects, o)
	if d != nil && o.within {
		d.addLines(v.Format, content.Bytes())
		o.description = d
	}
	return nil
}

// unreadable reports an object that is damaged, truncated, or was deleted while
// the verification ran. It returns any other error.
func (v *verification) unreadable(ctx context.Context, o bucket.Object, offset int64, err error) error {
	damaged := errors.Is(err, bucket.ErrDamaged) || errors.Is(err, bucket.ErrNotFound)
	if ctx.Err() != nil || !damaged {
		return err
	}
	v.report.find(Finding{Kind: Unreadable, Hop: HopArchive, Object: o.Key, Offset: offset, Detail: "cannot be read from here on: " + err.Error()})
	return nil
}
