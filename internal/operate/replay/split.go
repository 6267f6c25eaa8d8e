package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// By says what of an object becomes a body.
type By string

const (
	// Line makes a body of each line, without the newline that ends it. An empty
	// line becomes a body of one newline, for there is no empty body: archived,
	// both are the bytes they were.
	Line By = "line"
	// Member makes a body of each gzip member, as it stands.
	Member By = "member"
	// Whole makes one body of an object.
	Whole By = "object"
)

// maxBody bounds what is read as one body: far more than any API takes.
const maxBody = 64 << 20

var errTooLong = fmt.Errorf("over %d bytes", maxBody)

// Split calls each with the bodies that r holds, which each may keep.
func (by By) Split(r io.Reader, each func(body []byte) error) error {
	switch by {
	case Line:
		return splitLines(r, each)
	case Member:
		return splitMembers(r, each)
	case Whole:
		whole, err := io.ReadAll(io.LimitReader(r, maxBody+1))
		switch {
		case err != nil:
			return err
		case len(whole) > maxBody:
			return errTooLong
		case len(whole) == 0:
			return nil
		}
		return each(whole)
	}
	return fmt.Errorf("splitting by %q: want %s, %s or %s", by, Line, Member, Whole)
}

func splitLines(r io.Reader, each func(body []byte) error) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		var line []byte
		for {
			part, err := lines.ReadSlice('\n')
			line = append(line, part...)
			if len(line) > maxBody {
				return fmt.Errorf("line %d: %w", n, errTooLong)
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if err != nil { // the end, perhaps of a last line without a newline
				if len(line) == 0 {
					return nil
				}
				return each(line)
			}
			break
		}
		if len(line) > 1 {
			line = line[:len(line)-1]
		}
		if err := each(line); err != nil {
			return err
		}
	}
}

// splitMembers cuts between gzip members, whose ends only decompression finds.
func splitMembers(r io.Reader, each func(body []byte) error) error {
	source := &recorder{r: bufio.NewReaderSize(r, 64<<10)}
	var z gzip.Reader
	for n := 1; ; n++ {
		if _, err := source.r.Peek(1); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		err := z.Reset(source)
		if err == nil {
			z.Multistream(false)
			_, err = io.Copy(io.Discard, &z)
		}
		switch {
		case source.failed != nil:
			return source.failed
		case source.taken.Len() > maxBody:
			return fmt.Errorf("gzip member %d: %w", n, errTooLong)
		case err != nil:
			return fmt.Errorf("gzip member %d: %w", n, err)
		}
		if err := each(bytes.Clone(source.taken.Bytes())); err != nil {
			return err
		}
		source.taken.Reset()
	}
}

// recorder keeps what is read through it. As an io.ByteReader it is read no
// further than a member goes.
type recorder struct {
	r      *bufio.Reader
	taken  bytes.Buffer
	failed error
}

func (r *recorder) ReadByte() (byte, error) {
	b, err := r.r.ReadByte()
	if err != nil {
		return 0, r.fail(err)
	}
	return b, r.take([]byte{b})
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil {
		return n, r.fail(err)
	}
	return n, r.take(p[:n])
}

func (r *recorder) take(b []byte) error {
	_, _ = r.taken.Write(b) // It never fails.
	if r.taken.Len() > maxBody {
		return errTooLong
	}
	return nil
}

func (r *recorder) fail(err error) error {
	if !errors.Is(err, io.EOF) {
		r.failed = err
	}
	return err
}
