package local

import (
	"errors"
	"os"
	"sync"
)

// RotatingFile is a log file that is renamed when it is full. Write opens it when
// needed, and again after an error, so that a full disk does not end the log. It is safe
// for concurrent use.
type RotatingFile struct {
	// Open opens the file for appending. Rotate renames it.
	Open   func() (*os.File, error)
	Rotate func() error
	// Limit is the size in bytes at which a new file begins.
	Limit int64

	mu   sync.Mutex
	file *os.File
	size int64
}

// Write appends one line.
func (r *RotatingFile) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file != nil && r.size > r.Limit {
		err := errors.Join(r.file.Close(), r.Rotate())
		r.file = nil
		if err != nil {
			return 0, err
		}
	}
	if r.file == nil {
		if err := r.open(); err != nil {
			return 0, err
		}
	}
	n, err := r.file.Write(line)
	r.size += int64(n)
	return n, err
}

func (r *RotatingFile) open() error {
	f, err := r.Open()
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r.file, r.size = f, info.Size()
	return nil
}

// Close closes the file. A later Write opens it again.
func (r *RotatingFile) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}
