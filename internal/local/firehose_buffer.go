package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/google/uuid"
	"github.com/klauspost/compress/gzip"
)

const (
	bufferSuffix = ".buffer"
	bufferTime   = "2006-01-02-15-04-05"
)

// buffer is the records of one object to be, framed as in a spool. Its file's
// name is the end of the object's, chosen when it is made: when the process is
// killed between writing the object and removing the buffer, the next one writes
// the same object again.
type buffer struct {
	path  string
	began time.Time
	file  *os.File // nil once sealed
	w     *bufio.Writer
	bytes int64 // of records
	size  int64 // of the file up to the last whole call
}

func newBuffer(dir string, now time.Time) (*buffer, error) {
	b := &buffer{began: now, w: bufio.NewWriterSize(nil, 64<<10)}
	b.path = filepath.Join(dir, now.UTC().Format(bufferTime)+"-"+uuid.NewString()+bufferSuffix)
	var err error
	if b.file, err = os.OpenFile(b.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644); err != nil {
		return nil, fmt.Errorf("opening buffer: %w", err)
	}
	return b, nil
}

// leftBuffers returns the buffers that earlier processes have left in dir, the
// oldest first.
func leftBuffers(dir string) ([]*buffer, error) {
	entries, err := os.ReadDir(dir) // sorted by name, that is by time
	if err != nil {
		return nil, err
	}
	var left []*buffer
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), bufferSuffix)
		if !ok {
			continue
		}
		if len(name) < len(bufferTime) {
			return nil, fmt.Errorf("buffer %s has no time in its name", e.Name())
		}
		began, err := time.Parse(bufferTime, name[:len(bufferTime)])
		if err != nil {
			return nil, fmt.Errorf("buffer %s: %w", e.Name(), err)
		}
		left = append(left, &buffer{path: filepath.Join(dir, e.Name()), began: began})
	}
	return left, nil
}

// append writes all entries of a call, or none.
func (b *buffer) append(entries []sink.Entry) error {
	bytes, size := b.bytes, b.size
	b.w.Reset(io.NewOffsetWriter(b.file, b.size))
	for _, e := range entries {
		n, err := writeFrame(b.w, [][]byte{e.Data})
		if err != nil {
			return fmt.Errorf("buffering: %w", err)
		}
		bytes += int64(len(e.Data))
		size += int64(n)
	}
	if err := b.w.Flush(); err != nil {
		// The next call writes over what this one has written.
		return fmt.Errorf("buffering: %w", errors.Join(err, b.file.Truncate(b.size)))
	}
	b.bytes, b.size = bytes, size
	return nil
}

func (b *buffer) close() {
	_ = b.file.Close() // Every call has flushed what it wrote.
	b.file, b.w = nil, nil
}

// deliver writes the object and removes the buffer.
func (b *buffer) deliver(ctx context.Context, d *delivery) error {
	file, err := os.Open(b.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	r := bufio.NewReaderSize(file, 64<<10)
	frame, err := readFrame(r, nil)
	if err == nil {
		err = d.firehose.Write(ctx, b.key(d), func(w io.Writer) error {
			if d.Gzip {
				return compressFrames(w, r, frame)
			}
			return copyFrames(w, r, frame)
		})
		if err != nil {
			return err
		}
	} else if err != io.EOF && !errors.Is(err, errDamaged) {
		return err
	} // Else nothing in it was ever acknowledged.
	return os.Remove(b.path)
}

// key is the name that Firehose gives to an object: after the folder the stream,
// its version, the time and a random part.
func (b *buffer) key(d *delivery) string {
	name := strings.TrimSuffix(filepath.Base(b.path), bufferSuffix)
	key := d.Folder(b.began) + d.name + "-1-" + name
	if d.Gzip {
		key += ".gz"
	}
	return key
}

func compressFrames(w io.Writer, r io.Reader, frame []byte) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	return errors.Join(copyFrames(z, r, frame), z.Close())
}

// copyFrames writes what is in frame and in the frames that follow. A frame that
// is not whole is the end: the call that wrote it was never answered.
func copyFrames(w io.Writer, r io.Reader, frame []byte) error {
	frame = slices.Clip(frame)
	for {
		if _, err := w.Write(frame); err != nil {
			return err
		}
		var err error
		frame, err = readFrame(r, frame)
		if err == io.EOF || errors.Is(err, errDamaged) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
