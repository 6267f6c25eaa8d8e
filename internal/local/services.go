package local

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"golang.org/x/sync/semaphore"
)

// bridgeMemory bounds the bytes of events that all bridges hold at once,
// bridgeBatchBytes those of one event.
const (
	bridgeMemory     = 8 << 20
	bridgeBatchBytes = 1 << 20
)

// openServices opens Kinesis, Firehose and the queue of wake-ups.
func (p *Pipeline) openServices() error {
	kinesisDir, err := openFolder(p.data, "kinesis")
	if err != nil {
		return err
	}
	firehoseDir, err := openFolder(p.data, "firehose")
	if err != nil {
		return err
	}
	p.kinesis = cloud.NewKinesis(cloud.KinesisOptions{Dir: kinesisDir, Throttle: p.o.Throttle})
	p.atEnd(p.kinesis.Close)
	p.firehose = cloud.NewFirehose(cloud.FirehoseOptions{Dir: firehoseDir, Write: p.deliver(), Log: p.o.Log})
	p.wakes = cloud.NewQueue(p.o.Deployment+"-wake", nil)
	known := make(map[string]bool)
	for _, name := range p.o.Streams.Names() {
		known[stream.ResourceName(p.o.Deployment, name)] = true
	}
	streams, err := leftovers(p.data, "kinesis", ".spool", known)
	if err != nil {
		return err
	}
	buffers, err := leftovers(p.data, "firehose", cloud.BufferSuffix, known)
	for _, folder := range append(streams, buffers...) {
		p.o.Log.Warn("streams.json does not name the stream of this folder; its records that are not in the archive wait until streams.json names the stream again", "folder", folder)
	}
	return err
}

// openStreams opens the streams and passes them to the observer. It returns the
// mappings of new streams, which the caller starts also after an error.
func (p *Pipeline) openStreams(set *stream.Set) (added []*cloud.Mapping, err error) {
	for _, s := range set.All() {
		if err := p.openStream(s); err != nil {
			return added, err
		}
		m, isNew, err := p.openMapping(s)
		if err != nil {
			return added, err
		}
		if isNew {
			added = append(added, m)
		}
	}
	if opened := p.o.Observe.Opened; opened != nil {
		opened(p, set)
	}
	return added, nil
}

// openStream opens a stream's Kinesis stream and delivery stream.
func (p *Pipeline) openStream(s stream.Stream) error {
	name := stream.ResourceName(p.o.Deployment, s.Name)
	if p.isTapped(s) {
		if err := p.kinesis.Open(name, cloud.StreamOptionsOf(s)); err != nil {
			return err
		}
	}
	delivery := cloud.DeliveryStreamOf(s)
	delivery.BufferFor = p.o.Flush
	return p.firehose.Open(name, delivery)
}

// isTapped reports whether a stream has a Kinesis stream: it has a tap, or the data
// folder has the records of an earlier tap, which the bridge still delivers.
func (p *Pipeline) isTapped(s stream.Stream) bool {
	if s.HasTap() {
		return true
	}
	_, err := p.data.Stat("kinesis/" + stream.ResourceName(p.o.Deployment, s.Name))
	return err == nil
}

// deliver is Firehose's way into the archive.
func (p *Pipeline) deliver() cloud.WriteObject {
	write := wrap(p.o.Seams.Deliver, p.bucket.Write)
	observe := p.o.Observe.Written
	if observe == nil {
		return write
	}
	return func(ctx context.Context, key string, body func(io.Writer) error) error {
		if err := write(ctx, key, body); err != nil {
			return err
		}
		if object, err := p.bucket.HeadObject(ctx, key); err == nil {
			observe(key, object.Size)
		}
		return nil
	}
}

func openFolder(root *os.Root, name string) (*os.Root, error) {
	if err := root.MkdirAll(name, 0o700); err != nil {
		return nil, fmt.Errorf("opening the data folder: %w", err)
	}
	folder, err := root.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("opening the data folder: %w", err)
	}
	return folder, nil
}

// mappings are the event source mappings from Kinesis to the bridge.
type mappings struct {
	dir    *os.Root
	memory *semaphore.Weighted

	mu       sync.Mutex
	byStream map[string]*cloud.Mapping
}

// openMapping returns the mapping of a stream, which is new unless it was opened
// before. A stream without a tap has none.
func (p *Pipeline) openMapping(s stream.Stream) (m *cloud.Mapping, isNew bool, err error) {
	p.mappings.mu.Lock()
	defer p.mappings.mu.Unlock()
	if m := p.mappings.byStream[s.Name]; m != nil || !p.isTapped(s) {
		return m, false, nil
	}
	if p.mappings.byStream == nil {
		if p.mappings.dir, err = openFolder(p.data, "mapping"); err != nil {
			return nil, false, err
		}
		p.mappings.byStream, p.mappings.memory = make(map[string]*cloud.Mapping), semaphore.NewWeighted(bridgeMemory)
	}
	m, err = cloud.OpenMapping(cloud.MappingOptions{
		Kinesis: p.kinesis, Stream: stream.ResourceName(p.o.Deployment, s.Name), Dir: p.mappings.dir,
		Function: p.functions.bridge, FunctionARN: p.functions.bridge.ARN(),
		BatchBytes: bridgeBatchBytes, Window: p.o.Window, MaxRetries: p.o.MaxRetries,
		// As on AWS, an hour before the record would expire.
		MaxAge:    time.Duration(cmp.Or(s.RetentionHours, 24)-1) * time.Hour,
		OnFailure: p.bucket, Memory: p.mappings.memory, Log: p.o.Log,
	})
	if err != nil {
		return nil, false, err
	}
	p.mappings.byStream[s.Name] = m
	return m, true, nil
}

// behind is the number of bytes in Kinesis that the bridge has not accepted.
func (m *mappings) behind() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var behind int64
	for _, one := range m.byStream {
		behind += one.Behind()
	}
	return behind
}
