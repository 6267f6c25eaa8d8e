package awstest

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

// The quotas of Firehose.
// https://docs.aws.amazon.com/firehose/latest/dev/limits.html
const (
	firehoseRecords     = 500
	firehoseCallBytes   = 4 << 20
	firehoseRecordBytes = 1_024_000
)

// Delivery is the destination of a Firehose delivery stream.
type Delivery struct {
	Bucket string
	// Folder is what the key of an object begins with, by the time of its first
	// record.
	Folder func(time.Time) string
	// Suffix ends the keys.
	Suffix string
	Gzip   bool
	// BufferBytes is the size at which an object is written. 0: by Flush only.
	BufferBytes int
}

// Firehose buffers records and writes them to S3, one behind the other.
type Firehose struct {
	s3         *S3
	deliveries map[string]*delivery
	count      func(data []byte) int
	invalid    func(data []byte) bool
}

type delivery struct {
	Delivery
	name string

	mu      sync.Mutex
	buffer  bytes.Buffer
	began   time.Time
	objects int
}

func newFirehose(deliveries map[string]Delivery, s3 *S3, count func([]byte) int, invalid func([]byte) bool) *Firehose {
	if count == nil {
		count = func([]byte) int { return 1 }
	}
	f := &Firehose{s3: s3, count: count, invalid: invalid, deliveries: make(map[string]*delivery)}
	for name, d := range deliveries {
		f.deliveries[name] = &delivery{Delivery: d, name: name}
	}
	return f
}

// Flush writes everything that is buffered.
func (f *Firehose) Flush() error {
	for _, d := range f.deliveries {
		d.mu.Lock()
		err := f.write(d)
		d.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *Firehose) readPutRecordBatch(r *http.Request, op *operation) {
	var in struct {
		DeliveryStreamName string
		Records            []struct{ Data []byte }
	}
	if !readJSON(r, op, &in) {
		return
	}
	op.call.Resource, op.call.Records = in.DeliveryStreamName, len(in.Records)
	d := f.deliveries[in.DeliveryStreamName]
	if d == nil {
		op.refuse(*badRequest("ResourceNotFoundException", "no delivery stream %s", in.DeliveryStreamName))
		return
	}
	total := 0
	for i, record := range in.Records {
		total += len(record.Data)
		if len(record.Data) > firehoseRecordBytes {
			op.refuse(*badRequest("InvalidArgumentException", "record %d has %d bytes", i, len(record.Data)))
			return
		}
		if f.invalid != nil && f.invalid(record.Data) {
			op.refuse(*badRequest("InvalidArgumentException", "record %d is invalid here", i))
			return
		}
	}
	if n := len(in.Records); n < 1 || n > firehoseRecords || total > firehoseCallBytes {
		op.refuse(*badRequest("InvalidArgumentException", "%d records of %d bytes", n, total))
		return
	}
	op.effect = func(throttled func() bool) (int, func(http.ResponseWriter)) {
		d.mu.Lock()
		defer d.mu.Unlock()
		results := make([]map[string]string, len(in.Records))
		failed, stored := 0, 0
		for i, record := range in.Records {
			if throttled() {
				results[i] = map[string]string{"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
				failed++
				continue
			}
			results[i] = map[string]string{"RecordId": fmt.Sprint(d.objects, ".", d.buffer.Len())}
			if err := f.add(d, record.Data); err != nil {
				return stored, internalFailure.write
			}
			stored += f.count(record.Data)
		}
		return stored, func(w http.ResponseWriter) {
			writeJSON(w, http.StatusOK, map[string]any{"FailedPutCount": failed, "RequestResponses": results})
		}
	}
}

// add buffers one record. The caller holds mu.
func (f *Firehose) add(d *delivery, data []byte) error {
	if d.buffer.Len() == 0 {
		d.began = time.Now()
	}
	d.buffer.Write(data)
	if d.BufferBytes > 0 && d.buffer.Len() >= d.BufferBytes {
		return f.write(d)
	}
	return nil
}

// write makes an object of the buffer. The caller holds mu.
func (f *Firehose) write(d *delivery) error {
	if d.buffer.Len() == 0 {
		return nil
	}
	body := d.buffer.Bytes()
	if d.Gzip {
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
		if err != nil {
			return fmt.Errorf("compressing for %s: %w", d.name, err)
		}
		if _, err := w.Write(body); err != nil {
			return fmt.Errorf("compressing for %s: %w", d.name, err)
		}
		if err := w.Close(); err != nil {
			return fmt.Errorf("compressing for %s: %w", d.name, err)
		}
		body = packed.Bytes()
	}
	d.objects++
	key := fmt.Sprintf("%s%s-1-%s-%06d%s", d.Folder(d.began.UTC()), d.name, d.began.UTC().Format("2006-01-02-15-04-05"), d.objects, d.Suffix)
	if err := f.s3.Put(d.Bucket, key, body); err != nil {
		return err
	}
	d.buffer.Reset()
	return nil
}
