package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/google/uuid"
)

// readDirectLog reads the lines of ingest's log for the direct records of the
// verified hours.
func (v *verification) readDirectLog(ctx context.Context) error {
	v.direct = make(map[string]archive.Line)
	if v.Direct == nil {
		return nil
	}
	from, to := DirectLogTime(v.From, v.To)
	err := v.Direct(ctx, from, to, func(l archive.Line) error {
		if hour, ok := bucket.Hour(l.Key); ok && !hour.Before(v.begin()) && hour.Before(v.end()) {
			v.direct[l.Key] = l
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading ingest's log: %w", err)
	}
	return nil
}

// readDirect reads a direct record to its end, and compares it with its log line.
func (v *verification) readDirect(ctx context.Context, o bucket.Object) error {
	d := v.describe(o.Key)
	size, hash, whole, err := v.content(ctx, o, d)
	if err != nil {
		return err
	}
	why := bucket.Direct(o.Key)
	line, logged := v.direct[o.Key]
	records := max(line.Records, 1)
	count := v.report.Direct[why]
	count.Objects++
	count.Records += records
	count.Bytes += size
	v.report.Direct[why] = count
	v.report.DirectObjects = append(v.report.DirectObjects, o.Key)
	if d != nil {
		d.addRecords(records, line.LoggedAt)
		v.report.Objects = append(v.report.Objects, d.object())
	}
	delete(v.direct, o.Key)
	f := Finding{Kind: Changed, Hop: HopArchive, Object: o.Key, Bytes: size, Records: records, LoggedAt: line.LoggedAt}
	switch framed := size - int64(line.Bytes); {
	case !logged && v.Direct == nil:
		return nil
	case !logged:
		at, ok := receivedAt(o.Key)
		if hour, _ := bucket.Hour(o.Key); !ok || (&object{hour: hour}).isInFolder(at) {
			v.report.DirectUnlogged = append(v.report.DirectUnlogged, o.Key)
			return nil
		}
		f.Kind, f.Detail = Misplaced, "a direct record in the folder of another hour: by its id it was received at "+stamp(at)
	case !whole:
		return nil // The object is Unreadable.
	case framed != 0 && framed != 1: // 1 is the newline of the format lines
		f.Detail = fmt.Sprintf("a direct record of %d bytes, by ingest's log of %d bytes", size, line.Bytes)
	case line.Hash != "" && line.Hash != hash:
		f.Detail = fmt.Sprintf("a direct record of %d bytes with the hash %s, by ingest's log with the hash %s", size, hash, line.Hash)
	default:
		return nil
	}
	v.report.find(f)
	return nil
}

// receivedAt returns the time in the id of a direct record, which is in the key of its
// object. The id of a request with an idempotency key has no time.
func receivedAt(key string) (at time.Time, ok bool) {
	id, _, _ := strings.Cut(strings.TrimPrefix(path.Base(key), string(bucket.Direct(key))+"-"), ".")
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.Version() != 7 {
		return time.Time{}, false
	}
	return time.Unix(parsed.Time().UnixTime()), true
}

// content returns the length and the hash of an object, decompressed. whole is false
// for an object that is damaged.
func (v *verification) content(ctx context.Context, o bucket.Object, d *description) (n int64, hash string, whole bool, err error) {
	r, err := v.open(ctx, o.Key, d)
	if err != nil {
		return 0, "", false, v.unreadable(ctx, o, 0, err)
	}
	defer func() { _ = r.Close() }()
	digest := xxhash.New()
	n, err = io.Copy(io.MultiWriter(digest, d.lines(v.Format)), r)
	if err != nil {
		return n, "", false, v.unreadable(ctx, o, n, err)
	}
	return n, archive.HashText(digest.Sum64()), true, nil
}

// judgeDirect reports the direct records that ingest logged and that are not in
// the archive. A record that was written after the objects were listed is there.
func (v *verification) judgeDirect(ctx context.Context) error {
	for _, key := range sortedKeys(v.direct) {
		line := v.direct[key]
		_, err := v.Objects.Head(ctx, key, 1)
		if err == nil {
			continue
		}
		if !errors.Is(err, bucket.ErrNotFound) {
			return err
		}
		v.report.find(Finding{
			Kind: Missing, Hop: HopArchive, Object: key, Bytes: int64(line.Bytes), Records: max(line.Records, 1), LoggedAt: line.LoggedAt,
			Detail: "a direct record that ingest logged at " + stamp(line.LoggedAt) + ": no such object",
		})
	}
	return nil
}

// DirectLogTime returns the time of ingest's log that Run reads for a window.
func DirectLogTime(from, to time.Time) (begin, end time.Time) {
	return firstHour(from), lastHour(to).Add(maxInvocation)
}
