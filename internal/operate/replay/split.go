package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// By says which part of an object becomes a body.
type By string

const (
	// Lines makes a body of consecutive whole lines: as many as the tap takes in one
	// record. So a body of several lines keeps its lines in order, unless the lines
	// are at the end of one body and the beginning of the next. A longer line is a
	// body of its own.
	Lines By = "lines"
	// Line makes a body of each line, without its newline. An empty line becomes a
	// body of one newline, because a body is not empty: in the archive both are the
	// same bytes. The order of the lines is lost.
	Line By = "line"
	// Member makes a body of each gzip member, compressed as it is.
	Member By = "member"
	// Whole makes one body of an object.
	Whole By = "object"
)

// maxBody bounds what is read as one body. It is far more than any API takes.
const maxBody = 64 << 20

var errTooLong = fmt.Errorf("over %d bytes", maxBody)

// Split calls each with the bodies that r holds. each may keep them.
func (by By) Split(r io.Reader, each func(body []byte) error) error {
	switch by {
	case Lines:
		return splitChunks(r, each)
	case Line:
		return splitLines(r, func(line []byte) error {
			if len(line) > 1 {
				line = bytes.TrimSuffix(line, []byte{'\n'})
			}
			return each(line)
		})
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
	return fmt.Errorf("splitting by %q: want %s, %s, %s or %s", by, Lines, Line, Member, Whole)
}

// splitChunks calls each with consecutive lines, up to the limit of the tap.
func splitChunks(r io.Reader, each func(body []byte) error) error {
	var chunk []byte
	flush := func() error {
		if len(chunk) == 0 {
			return nil
		}
		body := chunk
		chunk = nil
		return each(body)
	}
	err := splitLines(r, func(line []byte) error {
		if stream.Lines.FramedLen(line)+len(chunk) > stream.MaxFramedBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		chunk = append(chunk, line...)
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// splitLines calls each with every line, with its newline.
func splitLines(r io.Reader, each func(line []byte) error) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		var line []byte
		var err error
		for more := true; more; {
			var part []byte
			part, err = lines.ReadSlice('\n')
			more = errors.Is(err, bufio.ErrBufferFull)
			if line = append(line, part...); len(line) > maxBody {
				return fmt.Errorf("line %d: %w", n, errTooLong)
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(line) > 0 {
			if err := each(line); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// splitMembers calls each with every gzip member. Only decompression finds the end
// of a member.
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

// recorder keeps the bytes that are read through it. Because it is an
// io.ByteReader, gzip does not read beyond the end of a member.
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
