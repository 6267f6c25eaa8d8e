package cloud

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/google/uuid"
	"github.com/klauspost/compress/gzip"
)

const (
	// BufferSuffix ends the names of Firehose's buffers.
	BufferSuffix = ".buffer"
	bufferTime   = "2006-01-02-15-04-05"
)

// buffer holds the records of a future object, framed as in a spool. The name of
// its file is the end of the object's key. It is chosen when the buffer is made:
// if the process is killed after the object was written and before the buffer was
// removed, the next process writes the same object again.
type buffer struct {
	root  *os.Root
	path  string
	began time.Time
	file  *os.File // nil once sealed
	w     *bufio.Writer
	bytes int64 // of records
	size  int64 // of the file, up to the last whole call
}

func newBuffer(root *os.Root, dir string, now time.Time) (*buffer, error) {
	b := &buffer{root: root, began: now, w: bufio.NewWriterSize(nil, 64<<10)}
	b.path = dir + "/" + now.UTC().Format(bufferTime) + "-" + uuid.NewString() + BufferSuffix
	var err error
	if b.file, err = root.OpenFile(b.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return nil, fmt.Errorf("opening buffer: %w", err)
	}
	return b, nil
}

// leftBuffers returns the buffers that earlier processes left in dir, the oldest
// first.
func leftBuffers(root *os.Root, dir string) ([]*buffer, error) {
	entries, err := fs.ReadDir(root.FS(), dir) // sorted by name, and so by time
	if err != nil {
		return nil, err
	}
	var left []*buffer
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), BufferSuffix)
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
		left = append(left, &buffer{root: root, path: dir + "/" + e.Name(), began: began})
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
			return b.refuse(err)
		}
		bytes += int64(len(e.Data))
		size += int64(n)
	}
	if err := b.w.Flush(); err != nil {
		return b.refuse(err)
	}
	b.bytes, b.size = bytes, size
	return nil
}

// refuse removes what a failed call has written.
func (b *buffer) refuse(err error) error {
	return fmt.Errorf("buffering: %w", errors.Join(err, b.file.Truncate(b.size)))
}

func (b *buffer) close() {
	_ = b.file.Close() // Every call has flushed its bytes.
	b.file, b.w = nil, nil
}

// deliver writes the object and removes the buffer.
func (b *buffer) deliver(ctx context.Context, write WriteObject, stream string, to DeliveryStream) error {
	file, err := b.root.Open(b.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	r := bufio.NewReaderSize(file, 64<<10)
	frame, err := readFrame(r, nil)
	if err == nil {
		err = write(ctx, b.key(stream, to), func(w io.Writer) error {
			if to.Gzip {
				return compressFrames(w, r, frame)
			}
			return copyFrames(w, r, frame)
		})
		if err != nil {
			return err
		}
	} else if err != io.EOF && !errors.Is(err, errDamaged) {
		return err
	} // Otherwise no call that wrote into the buffer was ever acknowledged.
	return b.root.Remove(b.path)
}

// key is the key that Firehose gives to an object: after the folder the stream,
// its version, the time and a random part.
func (b *buffer) key(stream string, to DeliveryStream) string {
	name := strings.TrimSuffix(path.Base(b.path), BufferSuffix)
	return to.Folder(b.began) + stream + "-1-" + name + to.Suffix
}

func compressFrames(w io.Writer, r io.Reader, frame []byte) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	return errors.Join(copyFrames(z, r, frame), z.Close())
}

// copyFrames writes the bytes of frame and of the frames that follow. It ends at
// a frame that is not whole: the call that wrote that frame was never answered.
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
