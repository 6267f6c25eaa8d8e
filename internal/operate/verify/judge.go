package verify

import (
	"fmt"
	"time"
)

// judgeObjects reports what is wrong with the objects that Firehose wrote.
func (v *verification) judgeObjects() {
	for _, o := range v.objects {
		startsWithin := !o.start.Before(v.begin()) && o.start.Before(v.end())
		if (o.within || startsWithin) && v.isMisplaced(o) {
			v.report.find(Finding{
				Kind: Misplaced, Hop: HopArchive, Object: o.Key, Bytes: o.size(),
				Detail: "in the folder of another hour: by its name and its records it began at " + stamp(o.start),
			})
		}
		if o.within {
			v.judgeSegments(o)
			v.judgeSurplus(o)
			v.addDescription(o)
		}
	}
}

// judgeSurplus reports the result of the comparison of units, if the comparison of
// packed records has found nothing.
func (v *verification) judgeSurplus(o *object) {
	if o.surplus > 0 {
		v.report.find(Finding{
			Kind: Twice, Hop: HopArchive, Object: o.Key, Bytes: o.size(),
			Detail: fmt.Sprintf("%d bytes more than were sent, among bodies that repeat", o.surplus),
		})
	}
}

// isMisplaced reports whether an object is in the folder of another hour. Its name and
// its first record must both say so. Where bodies repeat, a record may have got a line
// that was logged at another time than the object's: such a line says nothing.
func (v *verification) isMisplaced(o *object) bool {
	if o.isInFolder(o.start) {
		return false
	}
	first := time.Time{}
	for _, s := range o.segments {
		if s.isLeftOver() || !o.matches.has(s.line) {
			continue
		}
		if at := v.index.lines[s.line].LoggedAt; first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return !first.IsZero() && !o.isInFolder(first)
}

// isInFolder reports whether a time is in the hour of the object's folder, by
// clocks that differ a little.
func (o *object) isInFolder(t time.Time) bool {
	return !t.Before(o.hour.Add(-edge)) && t.Before(o.hour.Add(time.Hour+edge))
}

func (o *object) size() int64 {
	if len(o.segments) == 0 {
		return 0
	}
	last := o.segments[len(o.segments)-1]
	return int64(last.offset + last.bytes)
}

// judgeSegments reports what is wrong with the bytes of an object.
func (v *verification) judgeSegments(o *object) {
	var open *Finding // the finding that is being extended
	for _, s := range o.segments {
		f := Finding{Hop: HopArchive, Object: o.Key, Offset: int64(s.offset), Bytes: int64(s.bytes)}
		if s.line >= 0 {
			p := v.index.lines[s.line]
			f.Records, f.Packed, f.LoggedAt, f.FirstSequence, f.LastSequence = p.Records, 1, p.LoggedAt, p.FirstSequence, p.LastSequence
		}
		if open != nil && open.Kind != s.unmatched {
			v.report.find(*open)
			open = nil
		}
		switch {
		case open != nil:
			open.Bytes += f.Bytes
			open.Records += f.Records
			open.Packed++
			open.LastSequence = f.LastSequence
		case s.unmatched == Twice:
			f.Kind, f.Detail = Twice, "already in the archive"
			if first := v.objectOf[s.line]; first != nil {
				f.Detail += ", in " + first.Key
			}
			open = &f
		case s.unmatched == Misplaced:
			f.Kind, f.Detail = Misplaced, "in an object of another time: logged at "+stamp(f.LoggedAt)
			open = &f
		case s.changed:
			f.Kind, f.Detail = Changed, fmt.Sprintf("not the bytes that were logged at %s with hash %016x", stamp(f.LoggedAt), v.index.lines[s.line].Hash)
			v.report.find(f)
		case s.line >= 0:
			v.report.Read.Packed++
			v.report.Read.Records += f.Records
		case v.isYoung(o.WrittenAt):
			v.report.Unsettled += f.Bytes
		default:
			f.Kind, f.Detail = Unknown, "bytes of no packed record that was logged"
			v.report.find(f)
		}
	}
	if open != nil {
		v.report.find(*open)
	}
}

// judgeLines reports which packed records are archived, in flight or missing.
func (v *verification) judgeLines() {
	missing := gap{kind: Missing, hop: HopArchive, what: "in no object"}
	for i, p := range v.index.lines {
		if !v.inWindow(p.LoggedAt) {
			continue
		}
		if p.FromTap() {
			v.report.Bridged.add(p)
		} else {
			v.report.Drained.add(p)
		}
		isMissing := false
		switch {
		case v.objectOf[i] != nil:
			v.report.Archived.add(p)
		case v.isYoung(p.LoggedAt):
			v.report.InFlight.add(p)
		default:
			isMissing = true
		}
		missing.extend(v.report, p, isMissing)
	}
	missing.close(v.report)
}
