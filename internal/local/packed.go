package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

// packedBytes is the size past which a packedLog begins a new file. It keeps two.
const packedBytes = 32 << 20

// packedLog keeps the bridge's log lines of packed records, as CloudWatch Logs
// does for verification: in packed.ndjson, with older ones in packed.old.ndjson.
// It is safe for concurrent use.
type packedLog struct {
	dir string

	mu   sync.Mutex
	file *os.File
	size int64
}

func openPackedLog(dir string) (*packedLog, error) {
	l := &packedLog{dir: dir}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("opening the log of packed records: %w", err)
	}
	return l, nil
}

func (l *packedLog) path() string    { return filepath.Join(l.dir, "packed.ndjson") }
func (l *packedLog) oldPath() string { return filepath.Join(l.dir, "packed.old.ndjson") }

func (l *packedLog) open() error {
	f, err := os.OpenFile(l.path(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
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

// Write appends one line.
func (l *packedLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > packedBytes {
		if err := errors.Join(l.file.Close(), os.Rename(l.path(), l.oldPath()), l.open()); err != nil {
			return 0, err
		}
	}
	n, err := l.file.Write(line)
	l.size += int64(n)
	return n, err
}

// copyTo writes all lines that are kept, the oldest first.
func (l *packedLog) copyTo(w io.Writer) {
	for _, path := range []string{l.oldPath(), l.path()} {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			_, err = io.Copy(w, f)
			_ = f.Close() // It was only read.
		}
		if err != nil {
			return // The caller has gone, or sees that the end is missing.
		}
	}
}

func (l *packedLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// logger returns the bridge's logger: what goes to log, with its packed records
// kept.
func (l *packedLog) logger(log *slog.Logger) *slog.Logger {
	return slog.New(packedHandler{next: log.Handler(), keep: slog.NewJSONHandler(l, nil)})
}

type packedHandler struct{ next, keep slog.Handler }

func (h packedHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level == slog.LevelInfo || h.next.Enabled(ctx, level)
}

func (h packedHandler) Handle(ctx context.Context, r slog.Record) error {
	var kept error
	if r.Message == pack.LogPacked {
		kept = h.keep.Handle(ctx, r)
	}
	if !h.next.Enabled(ctx, r.Level) {
		return kept
	}
	return errors.Join(kept, h.next.Handle(ctx, r))
}

func (h packedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return packedHandler{h.next.WithAttrs(attrs), h.keep.WithAttrs(attrs)}
}

func (h packedHandler) WithGroup(name string) slog.Handler {
	return packedHandler{h.next.WithGroup(name), h.keep.WithGroup(name)}
}
