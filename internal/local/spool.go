package local

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const (
	// segmentBytes is the size past which a spool begins a new file.
	segmentBytes = 8 << 20
	// frameHeader is the length of a frame and its checksum, 4 bytes each.
	frameHeader = 8
	// maxFrameBytes is more than any frame: a length over it is damage.
	maxFrameBytes = 8 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged says that a file holds something that no append wrote.
var errDamaged = errors.New("damaged")

// spool is an append-only log of frames on disk. An offset counts the bytes from
// the first frame ever written; each file is named after the offset at which it
// begins. What append returned for survives the end of the process, not a loss
// of power: nothing is synced. It is safe for concurrent use.
type spool struct {
	dir string

	mu    sync.Mutex
	bases []int64  // offsets at which the files begin, ascending
	file  *os.File // the last of them; nil until something is appended
	w     *bufio.Writer
	end   int64 // offset after the last whole frame
	grown chan struct{}
}

// openSpool opens the spool in dir, which is made when it is missing, and cuts
// off what an append that was killed left behind.
func openSpool(dir string) (*spool, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("opening spool: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("opening spool: %w", err)
	}
	s := &spool{dir: dir, grown: make(chan struct{})}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".spool")
		if !ok {
			continue
		}
		base, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("opening spool: %s: %w", e.Name(), err)
		}
		s.bases = append(s.bases, base)
	}
	slices.Sort(s.bases)
	if len(s.bases) == 0 {
		return s, nil
	}
	last := s.bases[len(s.bases)-1]
	whole, err := wholeFrames(s.path(last))
	if err != nil {
		return nil, fmt.Errorf("opening spool: %w", err)
	}
	s.end = last + whole
	return s, nil
}

func (s *spool) path(base int64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%020d.spool", base))
}

// wholeFrames returns the length of a file up to its last whole frame, and cuts
// it there.
func wholeFrames(path string) (int64, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	var whole int64
	var frame []byte
	r := bufio.NewReaderSize(f, 64<<10)
	for {
		frame, err = readFrame(r, frame)
		if err == io.EOF || errors.Is(err, errDamaged) {
			return whole, f.Truncate(whole)
		}
		if err != nil {
			return 0, err
		}
		whole += frameHeader + int64(len(frame))
	}
}

// append writes frames, each given as the parts it consists of, and returns the
// offset of each. After an error none of them is in the spool.
func (s *spool) append(frames [][][]byte) ([]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.roll(); err != nil {
		return nil, fmt.Errorf("appending to spool: %w", err)
	}
	offsets := make([]int64, len(frames))
	end := s.end
	if s.w == nil {
		s.w = bufio.NewWriterSize(nil, 64<<10)
	}
	s.w.Reset(s.file)
	for i, parts := range frames {
		offsets[i] = end
		n, err := writeFrame(s.w, parts)
		if err != nil {
			return nil, s.undo(err)
		}
		end += int64(n)
	}
	if err := s.w.Flush(); err != nil {
		return nil, s.undo(err)
	}
	s.end = end
	close(s.grown)
	s.grown = make(chan struct{})
	return offsets, nil
}

// roll opens the file that the next frame belongs into.
func (s *spool) roll() error {
	last := len(s.bases) - 1
	if last >= 0 && s.end-s.bases[last] < segmentBytes {
		if s.file != nil {
			return nil
		}
		path := s.path(s.bases[last])
		if err := os.Truncate(path, s.end-s.bases[last]); err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return err
		}
		s.file = f
		return nil
	}
	f, err := os.OpenFile(s.path(s.end), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if s.file != nil {
		_ = s.file.Close() // Each append has flushed what it wrote.
	}
	s.file = f
	s.bases = append(s.bases, s.end)
	return nil
}

// undo has the next append cut off what this one wrote, when it opens the file.
func (s *spool) undo(err error) error {
	_ = s.file.Close() // What matters of it is cut off.
	s.file = nil
	return fmt.Errorf("appending to spool: %w", err)
}

// trim removes the files of which every frame lies before offset, but for the
// newest keep bytes before it.
func (s *spool) trim(offset, keep int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.bases) > 1 && s.bases[1] <= offset-keep {
		if err := os.Remove(s.path(s.bases[0])); err != nil {
			return fmt.Errorf("trimming spool: %w", err)
		}
		s.bases = s.bases[1:]
	}
	return nil
}

// tail returns the offset after the last frame, and a channel that is closed
// when more follows.
func (s *spool) tail() (end int64, grown <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end, s.grown
}

func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}
