package main

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/data-sink/data-sink/internal/local/endpoints"
)

// maxLog is the size in bytes at which a logFile begins a new file. It keeps two.
const maxLog = 8 << 20

// logFile is the log of the local pipeline in its data folder. It opens the file at
// the first write, because the pipeline checks the folder first. It is safe for
// concurrent use.
type logFile struct {
	dir string

	mu   sync.Mutex
	file *os.File
	size int64
}

// Write appends one line.
func (l *logFile) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil && l.size > maxLog {
		err := errors.Join(l.file.Close(), os.Rename(filepath.Join(l.dir, endpoints.LogFile), filepath.Join(l.dir, endpoints.OldLogFile)))
		l.file = nil
		if err != nil {
			return 0, err
		}
	}
	if l.file == nil {
		if err := l.open(); err != nil {
			return 0, err
		}
	}
	n, err := l.file.Write(line)
	l.size += int64(n)
	return n, err
}

func (l *logFile) open() error {
	f, err := os.OpenFile(filepath.Join(l.dir, endpoints.LogFile), os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.file, l.size = f, info.Size()
	return nil
}

// Close closes the file.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
