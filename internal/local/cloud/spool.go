package cloud

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
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
	// maxFrameBytes is larger than any frame. A greater length is damage.
	maxFrameBytes = 8 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged means that a file holds bytes that append did not write.
var errDamaged = errors.New("damaged")

// spool is an append-only log of frames on disk. An offset counts the bytes from
// the first frame that was ever written. Each file is named after the offset at
// which it begins. Frames survive the end of the process once append has
// returned. They may not survive a loss of power, because nothing is synced. It
// is safe for concurrent use.
//
// The format is a length, a checksum and the frame, which no embedded database
// writes as cheaply: an append is one write call, a reader is one open file, and
// trimming removes whole files, which works on a full disk.
type spool struct {
	root *os.Root
	dir  string // in root

	mu    sync.Mutex
	bases []int64  // offsets at which the files begin, ascending
	file  *os.File // the last of them; nil until something is appended
	w     *bufio.Writer
	end   int64 // offset after the last whole frame
	grown chan struct{}
}

// openSpool opens the spool in the folder dir of root. It makes the folder if it
// does not exist, and cuts off the frames of an append that did not return.
func openSpool(root *os.Root, dir string) (*spool, error) {
	if err := root.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening spool: %w", err)
	}
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return nil, fmt.Errorf("opening spool: %w", err)
	}
	s := &spool{root: root, dir: dir, grown: make(chan struct{})}
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
	whole, err := s.wholeFrames(last)
	if err != nil {
		return nil, fmt.Errorf("opening spool: %w", err)
	}
	s.end = last + whole
	return s, nil
}

func (s *spool) path(base int64) string {
	return fmt.Sprintf("%s/%020d.spool", s.dir, base)
}

// wholeFrames truncates a file after its last whole frame, and returns its length.
func (s *spool) wholeFrames(base int64) (int64, error) {
	f, err := s.root.OpenFile(s.path(base), os.O_RDWR, 0)
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

// append writes frames, each given as its parts, and returns their offsets. After
// an error the spool holds none of them.
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

// roll opens the file for the next frame.
func (s *spool) roll() error {
	last := len(s.bases) - 1
	if last >= 0 && s.end-s.bases[last] < segmentBytes {
		if s.file != nil {
			return nil
		}
		f, err := s.root.OpenFile(s.path(s.bases[last]), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		if err := f.Truncate(s.end - s.bases[last]); err != nil {
			return errors.Join(err, f.Close())
		}
		s.file = f
		return nil
	}
	f, err := s.root.OpenFile(s.path(s.end), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if s.file != nil {
		_ = s.file.Close() // Each append has flushed its frames.
	}
	s.file = f
	s.bases = append(s.bases, s.end)
	return nil
}

// undo closes the file after a failed append. The next append truncates it.
func (s *spool) undo(err error) error {
	_ = s.file.Close() // The bytes that it may fail to write are cut off.
	s.file = nil
	return fmt.Errorf("appending to spool: %w", err)
}

// trim removes the files whose frames all lie before offset, except the newest
// keep bytes before offset.
func (s *spool) trim(offset, keep int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.bases) > 1 && s.bases[1] <= offset-keep {
		if err := s.root.Remove(s.path(s.bases[0])); err != nil {
			return fmt.Errorf("trimming spool: %w", err)
		}
		s.bases = s.bases[1:]
	}
	return nil
}

// tail returns the offset after the last frame, and a channel that is closed when
// the spool grows.
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
