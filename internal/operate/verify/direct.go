package verify

import (
	"context"
	"io"

	"github.com/data-sink/data-sink/internal/operate/bucket"
)

// readDirect reads a direct record to its end.
func (v *verification) readDirect(ctx context.Context, o bucket.Object) error {
	size, err := v.sizeOf(ctx, o)
	if err != nil {
		return err
	}
	why := bucket.Direct(o.Key)
	direct := v.report.Direct[why]
	direct.Objects++
	direct.Records++
	direct.Bytes += size
	v.report.Direct[why] = direct
	v.report.DirectObjects = append(v.report.DirectObjects, o.Key)
	return nil
}

func (v *verification) sizeOf(ctx context.Context, o bucket.Object) (int64, error) {
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
