package bucket

import (
	"context"
	"iter"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Hour returns the hour in the folders of a key, in UTC.
func Hour(key string) (time.Time, bool) {
	folder := path.Dir(key)
	hour, day := path.Base(folder), path.Base(path.Dir(folder))
	t, err := time.Parse("dt=2006-01-02/hour=15", day+"/"+hour)
	return t, err == nil
}

// startForm is the time in the names that Firehose gives to objects:
// <delivery stream>-<version>-2026-11-22-23-05-10-<UUID>.
var startForm = regexp.MustCompile(`-([0-9]{4}(?:-[0-9]{2}){5})-[0-9a-fA-F-]{36}`)

// Start returns the time in the name of an object that Firehose wrote: when it
// received the first record of the object, in whole seconds.
// https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html
func Start(key string) (time.Time, bool) {
	found := startForm.FindStringSubmatch(path.Base(key))
	if found == nil {
		return time.Time{}, false
	}
	t, err := time.Parse("2006-01-02-15-04-05", found[1])
	return t, err == nil
}

// Direct returns the reason of a direct record by the key of its object; empty for
// an object that Firehose wrote.
func Direct(key string) archive.Reason {
	name := path.Base(key)
	for _, why := range []archive.Reason{archive.Oversize, archive.Fallback, archive.Overflow} {
		if strings.HasPrefix(name, string(why)+"-") {
			return why
		}
	}
	return ""
}

// Hours yields the objects below prefix in the folders of all hours that the time
// from begin to end touches, in the order of their keys. prefix is, for example, a
// stream's name and a slash.
func (b *Bucket) Hours(ctx context.Context, prefix string, begin, end time.Time) iter.Seq2[Object, error] {
	begin, end = begin.UTC().Truncate(time.Hour), end.UTC()
	return func(yield func(Object, error) bool) {
		for hour := begin; hour.Before(end); {
			folder, next := hour.Format("dt=2006-01-02/"), hour.Truncate(24*time.Hour).Add(24*time.Hour)
			if hour.Hour() != 0 || next.After(end) {
				// A part of a day: listing its hours costs less than skipping the others.
				folder, next = stream.TimeFolder(hour), hour.Add(time.Hour)
			}
			for o, err := range b.List(ctx, prefix+folder) {
				if !yield(o, err) || err != nil {
					return
				}
			}
			hour = next
		}
	}
}

// Latest returns the object that was written last in the newest hour of a stream
// that has objects. ok is false if the stream has no objects.
func (b *Bucket) Latest(ctx context.Context, streamName string) (latest Object, ok bool, err error) {
	folder := streamName + "/"
	for range 2 { // day, hour
		below, err := b.Folders(ctx, folder)
		if err != nil || len(below) == 0 {
			return Object{}, false, err
		}
		folder = below[len(below)-1]
	}
	for o, err := range b.List(ctx, folder) {
		if err != nil {
			return Object{}, false, err
		}
		if !ok || !o.WrittenAt.Before(latest.WrittenAt) {
			latest, ok = o, true
		}
	}
	return latest, ok, nil
}
