package cloudtest

import (
	"context"
	"io"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
)

// InProcess is the door of the Go methods.
type InProcess struct {
	*cloud.Kinesis
	*cloud.Firehose
	*cloud.Bucket
	*cloud.Queue
	*cloud.Secrets
}

var _ Door = (*InProcess)(nil)

// Shards implements Door.
func (d *InProcess) Shards(ctx context.Context, stream string) ([]string, error) {
	description, err := d.Describe(ctx, "ListShards", stream)
	var ids []string
	for _, s := range description.Shards {
		ids = append(ids, s.ID)
	}
	return ids, err
}

// ReadObject implements Door.
func (d *InProcess) ReadObject(ctx context.Context, key string) (string, cloud.Object, error) {
	file, object, err := d.GetObject(ctx, key)
	if err != nil {
		return "", cloud.Object{}, err
	}
	defer func() { _ = file.Close() }() // It was only read.
	body, err := io.ReadAll(file)
	return string(body), object, err
}

// ListAll implements Door.
func (d *InProcess) ListAll(ctx context.Context, prefix, delimiter string, pageSize int) ([]string, error) {
	o := cloud.ListOptions{Prefix: prefix, Delimiter: delimiter, Max: pageSize}
	var names []string
	for {
		page, err := d.List(ctx, o)
		if err != nil {
			return nil, err
		}
		for _, object := range page.Objects {
			names = append(names, object.Key)
		}
		names = append(names, page.Prefixes...)
		if o.After = page.Last; !page.Truncated {
			return names, nil
		}
	}
}

// ReceiveMessage implements Door.
func (d *InProcess) ReceiveMessage(ctx context.Context, visibility time.Duration) (string, func() error, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	m, ok := d.Receive(ctx, visibility)
	return m.Body, func() error { d.Delete(m.ID); return nil }, ok, nil
}
