package main

import (
	"os"
	"path/filepath"
	"syscall"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/local/endpoints"
)

// maxLog is the size in bytes at which a new log file begins. Two files are kept.
const maxLog = 8 << 20

// newLogFile returns the log of the local pipeline in its data folder. The first write
// opens it, because the pipeline checks the folder first.
func newLogFile(dir string) *local.RotatingFile {
	path := filepath.Join(dir, endpoints.LogFile)
	return &local.RotatingFile{
		Open: func() (*os.File, error) {
			return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
		},
		Rotate: func() error { return os.Rename(path, filepath.Join(dir, endpoints.OldLogFile)) },
		Limit:  maxLog,
	}
}
