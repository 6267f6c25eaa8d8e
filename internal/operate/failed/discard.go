package failed

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
)

// Discard marks the records of an object that cannot be sent, because they cannot
// be decoded or have no bytes, so that no redrive tries them again. It returns
// their number. The object stays as it is. If the object itself is malformed,
// Discard marks it as a whole, and the number is 0.
func Discard(ctx context.Context, b *bucket.Bucket, s store, o Object, reason string, now time.Time) (n int, err error) {
	marker := Marker{}
	if o.Marker != nil {
		marker = *o.Marker
	}
	discarded := &Discarded{At: now.UTC(), Reason: reason}
	if marker.Discarded != nil {
		discarded.Records = slices.Clone(marker.Discarded.Records)
	}
	var left []int
	position := -1
	for r, err := range Records(ctx, b, o) {
		if errors.Is(err, ErrMalformed) {
			discarded.All = true
			break
		}
		if err != nil {
			return 0, err
		}
		position++
		switch {
		case o.Marker.hasDiscarded(position), o.Marker.hasSent(marker.Into, position):
		case unsendable(r) != "":
			discarded.Records = append(discarded.Records, position)
			n++
		default:
			left = append(left, position)
		}
	}
	if n == 0 && !discarded.All {
		return 0, nil
	}
	slices.Sort(discarded.Records)
	marker.Discarded, marker.Left = discarded, left
	if discarded.All {
		marker.Left = nil
	}
	return n, marker.put(ctx, s, o.Key)
}
