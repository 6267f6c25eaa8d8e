package cloudtest

import (
	"context"
	"io"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// InProcess is the door of the Go methods.
type InProcess struct {
	Kinesis  *cloud.Kinesis
	Firehose *cloud.Firehose
	Bucket   *cloud.Bucket
	Queue    *cloud.Queue
	Secrets  *cloud.Secrets
}

var _ Door = (*InProcess)(nil)

func entries(records []Record) []sink.Entry {
	all := make([]sink.Entry, len(records))
	for i, r := range records {
		all[i] = sink.Entry{PartitionKey: r.Key, Data: []byte(r.Data)}
	}
	return all
}

func codeOf(e *cloud.Error) string {
	if e == nil {
		return ""
	}
	return e.Code
}

// PutRecords implements Door.
func (d *InProcess) PutRecords(ctx context.Context, stream string, records []Record) ([]string, error) {
	results, err := d.Kinesis.PutRecords(ctx, stream, entries(records))
	codes := make([]string, len(results))
	for i, r := range results {
		codes[i] = codeOf(r.Err)
	}
	return codes, err
}

// PutRecordBatch implements Door.
func (d *InProcess) PutRecordBatch(ctx context.Context, stream string, records []Record) ([]string, error) {
	results, err := d.Firehose.PutRecordBatch(ctx, stream, entries(records))
	codes := make([]string, len(results))
	for i, r := range results {
		codes[i] = codeOf(r.Err)
	}
	return codes, err
}

// ListStreams implements Door.
func (d *InProcess) ListStreams(ctx context.Context) ([]string, error) {
	return d.Kinesis.ListStreams(ctx)
}

// Shards implements Door.
func (d *InProcess) Shards(ctx context.Context, stream string) ([]string, error) {
	description, err := d.Kinesis.Describe(ctx, "ListShards", stream)
	var ids []string
	for _, s := range description.Shards {
		ids = append(ids, s.ID)
	}
	return ids, err
}

// Iterator implements Door.
func (d *InProcess) Iterator(ctx context.Context, stream, shard string, s Start) (string, error) {
	return d.Kinesis.GetShardIterator(ctx, stream, shard, cloud.IteratorStart{Type: s.Type, SequenceNumber: s.Sequence, Timestamp: s.At})
}

// GetRecords implements Door.
func (d *InProcess) GetRecords(ctx context.Context, iterator string, limit int) ([]Read, string, error) {
	page, err := d.Kinesis.GetRecords(ctx, iterator, limit)
	var records []Read
	for _, r := range page.Records {
		records = append(records, Read{Record{r.PartitionKey, string(r.Data)}, r.SequenceNumber, r.ArrivedAt})
	}
	return records, page.NextIterator, err
}

// PutObject implements Door.
func (d *InProcess) PutObject(ctx context.Context, p Put) (string, error) {
	object, err := d.Bucket.PutObject(ctx, p.Key, cloud.Conditions{IfMatch: p.IfMatch, IfNoneMatch: p.IfNoneMatch}, func(w io.Writer) error {
		_, err := io.WriteString(w, p.Body)
		return err
	})
	return object.ETag, err
}

// GetObject implements Door.
func (d *InProcess) GetObject(ctx context.Context, key string) (Object, error) {
	file, object, err := d.Bucket.GetObject(ctx, key)
	if err != nil {
		return Object{}, err
	}
	defer func() { _ = file.Close() }() // It was only read.
	body, err := io.ReadAll(file)
	return Object{string(body), object.ETag, object.ModifiedAt}, err
}

// HeadObject implements Door.
func (d *InProcess) HeadObject(ctx context.Context, key string) (Object, error) {
	object, err := d.Bucket.HeadObject(ctx, key)
	return Object{ETag: object.ETag, ModifiedAt: object.ModifiedAt}, err
}

// DeleteObject implements Door.
func (d *InProcess) DeleteObject(ctx context.Context, key string) error {
	return d.Bucket.DeleteObject(ctx, key)
}

// List implements Door.
func (d *InProcess) List(ctx context.Context, prefix, delimiter string, pageSize int) ([]string, error) {
	o := cloud.ListOptions{Prefix: prefix, Delimiter: delimiter, Max: pageSize}
	var names []string
	for {
		page, err := d.Bucket.List(ctx, o)
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

// SendMessage implements Door.
func (d *InProcess) SendMessage(ctx context.Context, body string, delay time.Duration) error {
	_, err := d.Queue.Send(ctx, body, delay)
	return err
}

// Receive implements Door.
func (d *InProcess) Receive(ctx context.Context, visibility time.Duration) (string, func() error, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	m, ok := d.Queue.Receive(ctx, visibility)
	return m.Body, func() error { d.Queue.Delete(m.ID); return nil }, ok, nil
}

// Secret implements Door.
func (d *InProcess) Secret(ctx context.Context, id string) (string, error) {
	return d.Secrets.GetSecretValue(ctx, id)
}
