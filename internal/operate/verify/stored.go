package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
)

// readObjects reads all objects and explains those that came through Firehose.
func (v *verification) readObjects(ctx context.Context) error {
	begin := v.From.UTC().Truncate(time.Hour)
	var content bytes.Buffer
	for _, o := range v.objects {
		hour, ok := bucket.Hour(o.Key)
		if !ok {
			continue // nothing of this project's
		}
		// Objects of the hour before only take the lines that are theirs.
		within := !hour.Before(begin)
		var err error
		switch why := bucket.Direct(o.Key); {
		case why == "":
			err = v.readArchived(ctx, &content, o, within)
		case within:
			var size int64
			size, err = v.readThrough(ctx, o)
			direct := v.report.Direct[why]
			direct.Objects++
			direct.Records++
			direct.Bytes += size
			v.report.Direct[why] = direct
			v.report.DirectObjects = append(v.report.DirectObjects, o.Key)
		}
		if err != nil {
			return err
		}
		if v.Progress != nil {
			v.Progress(o, len(v.objects))
		}
	}
	return v.readBehind(ctx, &content)
}

// readBehind reads on in the hour that begins where the window ends, for as long
// as records that were logged at the window's edge are in no object.
func (v *verification) readBehind(ctx context.Context, content *bytes.Buffer) error {
	end := v.To.UTC()
	if !end.Equal(end.Truncate(time.Hour)) || !v.lacksEdge() {
		return nil
	}
	for o, err := range v.Objects.Hours(ctx, v.Stream+"/", end, end.Add(1)) {
		if err != nil {
			return err
		}
		if bucket.Direct(o.Key) != "" {
			continue
		}
		if err := v.readArchived(ctx, content, o, false); err != nil {
			return err
		}
		if !v.lacksEdge() {
			return nil
		}
	}
	return nil
}

// lacksEdge reports whether a record that was logged at the window's edge is in
// no object, and not in flight.
func (v *verification) lacksEdge() bool {
	for i := len(v.ledger.lines) - 1; i >= 0; i-- {
		p := v.ledger.lines[i]
		if p.LoggedAt.Before(v.To.Add(-edge)) {
			return false
		}
		if v.inWindow(p.LoggedAt) && v.ledger.found[i] == 0 && !v.isYoung(p.LoggedAt) {
			return true
		}
	}
	return false
}

// readThrough reads an object that has no line in the log: it has to be whole.
func (v *verification) readThrough(ctx context.Context, o bucket.Object) (int64, error) {
	r, err := v.Objects.OpenPlain(ctx, o.Key)
	if err != nil {
		return 0, v.unreadable(ctx, o, 0, err)
	}
	defer func() { _ = r.Close() }()
	n, err := io.Copy(io.Discard, r)
	if err != nil {
		return n, v.unreadable(ctx, o, n, err)
	}
	return n, nil
}

// readArchived reads an object of Firehose and explains it. What can be read of a
// damaged one is explained too.
func (v *verification) readArchived(ctx context.Context, content *bytes.Buffer, o bucket.Object, within bool) error {
	content.Reset()
	r, err := v.Objects.OpenPlain(ctx, o.Key)
	if err == nil {
		_, err = content.ReadFrom(io.LimitReader(r, maxObject+1))
		_ = r.Close()
	}
	if err == nil && content.Len() > maxObject {
		return fmt.Errorf("reading %s: over %d bytes, no object of Firehose", o.Key, maxObject)
	}
	if err != nil {
		if err := v.unreadable(ctx, o, int64(content.Len()), err); err != nil {
			return err
		}
	}
	if within {
		v.report.Read.Objects++
		v.report.Read.Bytes += int64(content.Len())
	}
	if len(v.ledger.lines) == 0 && content.Len() > 0 && within && !v.isYoung(o.WrittenAt) {
		return fmt.Errorf("explaining %s: %w", o.Key, ErrNoLog)
	}
	e := &explained{segments: v.ledger.explain(content.Bytes())}
	v.ledger.keep(content.Bytes(), e)
	v.explained = append(v.explained, storedObject{o, e, within})
	return nil
}

// judgeObjects says what is wrong with the objects that came through Firehose.
func (v *verification) judgeObjects() {
	for _, o := range v.explained {
		for _, s := range o.segments {
			if s.line >= 0 && !s.again {
				v.foundIn[s.line] = o.Key
			}
		}
	}
	for _, o := range v.explained {
		if o.within {
			v.judgeSegments(o.Object, o.segments)
		}
	}
}

// unreadable notes an object that is damaged, deleted meanwhile or truncated; any
// other error is returned.
func (v *verification) unreadable(ctx context.Context, o bucket.Object, offset int64, err error) error {
	if ctx.Err() != nil || !isDamage(err) {
		return err
	}
	v.report.find(Finding{Kind: Unreadable, Hop: HopArchive, Object: o.Key, Offset: offset, Detail: "cannot be read from here on: " + err.Error()})
	return nil
}

// storedObject is an object with what it consists of.
type storedObject struct {
	bucket.Object
	*explained
	within bool // the window
}

// judgeSegments says what is wrong with an object.
func (v *verification) judgeSegments(o bucket.Object, segments []segment) {
	var again *Finding // the one that is being extended
	for _, s := range segments {
		if !s.again {
			v.reportOnce(again)
			again = nil
		}
		f := Finding{Hop: HopArchive, Object: o.Key, Offset: int64(s.offset), Bytes: int64(s.bytes)}
		if s.line >= 0 {
			p := v.ledger.lines[s.line]
			f.Records, f.Packed, f.LoggedAt, f.FirstSequence, f.LastSequence = p.Records, 1, p.LoggedAt, p.FirstSequence, p.LastSequence
		}
		switch {
		case s.again && again != nil:
			again.Bytes += f.Bytes
			again.Records += f.Records
			again.Packed++
			again.LastSequence = f.LastSequence
		case s.again:
			f.Kind, f.Detail = Twice, "stands in the archive already, in "+v.foundIn[s.line]
			again = &f
		case s.changed:
			f.Kind, f.Detail = Changed, fmt.Sprintf("not the bytes that were logged at %s, of hash %016x", stamp(f.LoggedAt), v.ledger.lines[s.line].Hash)
			v.report.find(f)
		case s.line >= 0:
			v.report.Read.Packed++
			v.report.Read.Records += f.Records
		case v.isYoung(o.WrittenAt):
			v.report.Unsettled += f.Bytes
		default:
			f.Kind, f.Detail = Unknown, "the bridge logged nothing like this"
			v.report.find(f)
		}
	}
	v.reportOnce(again)
}

func (v *verification) reportOnce(f *Finding) {
	if f != nil {
		v.report.find(*f)
	}
}

// isDamage reports whether an error is the object's own.
func isDamage(err error) bool {
	return errors.Is(err, bucket.ErrDamaged) || errors.Is(err, bucket.ErrNotFound)
}
