package cloud

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
)

// spoolReader reads the frames of a spool one after another. It is for one
// goroutine.
type spoolReader struct {
	spool  *spool
	offset int64 // of the next frame
	file   *os.File
	r      *bufio.Reader
	until  int64 // the end of the open file when it was opened
	frame  []byte
}

// reader returns a reader that begins at offset, or at the oldest frame if the
// frame at offset has been trimmed.
func (s *spool) reader(offset int64) *spoolReader {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bases) > 0 {
		offset = max(offset, s.bases[0])
	}
	return &spoolReader{spool: s, offset: offset}
}

// next returns the frame at the reader's offset and moves behind it. At the end of
// the spool it returns io.EOF; a later call may find more frames. The frame is
// valid until the next call.
func (r *spoolReader) next() ([]byte, error) {
	if r.file == nil || r.offset >= r.until {
		if err := r.open(); err != nil {
			return nil, err
		}
	}
	frame, err := readFrame(r.r, r.frame)
	if err != nil {
		return nil, fmt.Errorf("reading %s at %d: %w", r.file.Name(), r.offset, err)
	}
	r.frame = frame
	r.offset += frameHeader + int64(len(frame))
	return frame, nil
}

// open opens the file that holds the reader's offset.
func (r *spoolReader) open() error {
	base, until := r.spool.around(r.offset)
	r.offset = max(r.offset, base) // Trimmed frames are skipped.
	if r.offset >= until {
		return io.EOF
	}
	r.close()
	f, err := r.spool.root.Open(r.spool.path(base))
	if err != nil {
		return fmt.Errorf("reading spool: %w", err)
	}
	if _, err := f.Seek(r.offset-base, io.SeekStart); err != nil {
		return errors.Join(fmt.Errorf("reading spool: %w", err), f.Close())
	}
	r.file, r.until = f, until
	// The bound keeps the buffer from reading a frame that is being written.
	r.r = bufio.NewReaderSize(io.LimitReader(f, until-r.offset), 64<<10)
	return nil
}

// around returns the offset at which the file that holds offset begins, and the
// offset at which its whole frames end.
func (s *spool) around(offset int64) (base, until int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	until = s.end
	for i, b := range slices.Backward(s.bases) {
		base = b
		if b <= offset || i == 0 {
			break
		}
		until = b
	}
	return base, until
}

func (r *spoolReader) close() {
	if r.file != nil {
		_ = r.file.Close() // It was only read.
		r.file = nil
	}
}

// writeFrame writes one frame and returns its length.
func writeFrame(w io.Writer, parts [][]byte) (int, error) {
	var header [frameHeader]byte
	size, sum := 0, uint32(0)
	for _, p := range parts {
		size += len(p)
		sum = crc32.Update(sum, castagnoli, p)
	}
	binary.BigEndian.PutUint32(header[:4], uint32(size))
	binary.BigEndian.PutUint32(header[4:], sum)
	if _, err := w.Write(header[:]); err != nil {
		return 0, err
	}
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return 0, err
		}
	}
	return frameHeader + size, nil
}

// readFrame reads one frame into buf, which it grows if necessary. At the end of
// the file it returns io.EOF between two frames and errDamaged inside a frame.
func readFrame(r io.Reader, buf []byte) ([]byte, error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, cutShort(err)
	}
	size := binary.BigEndian.Uint32(header[:4])
	if size > maxFrameBytes {
		return nil, fmt.Errorf("%w: a frame of %d bytes", errDamaged, size)
	}
	frame := slices.Grow(buf[:0], int(size))[:size]
	if _, err := io.ReadFull(r, frame); err == io.EOF {
		return nil, cutShort(io.ErrUnexpectedEOF)
	} else if err != nil {
		return nil, cutShort(err)
	}
	if crc32.Checksum(frame, castagnoli) != binary.BigEndian.Uint32(header[4:]) {
		return nil, fmt.Errorf("%w: wrong checksum", errDamaged)
	}
	return frame, nil
}

func cutShort(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return err
}
