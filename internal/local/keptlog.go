package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
)

// keptBytes is the size at which a keptLog begins a new file. It keeps two files.
const keptBytes = 32 << 20

// keptLog keeps the log lines with one message for verification, as CloudWatch
// Logs does on AWS: in <name>.ndjson, and older lines in <name>.old.ndjson. It is
// safe for concurrent use.
type keptLog struct {
	root          *os.Root
	name, message string
	file          RotatingFile
}

func openKeptLog(root *os.Root, name, message string) (*keptLog, error) {
	l := &keptLog{root: root, name: name, message: message}
	l.file = RotatingFile{
		Open: func() (*os.File, error) {
			return root.OpenFile(l.path(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		},
		Rotate: func() error { return root.Rename(l.path(), l.oldPath()) },
		Limit:  keptBytes,
	}
	if err := l.file.open(); err != nil {
		return nil, fmt.Errorf("opening the log of %s lines: %w", name, err)
	}
	return l, nil
}

func (l *keptLog) path() string    { return l.name + ".ndjson" }
func (l *keptLog) oldPath() string { return l.name + ".old.ndjson" }

// copyTo writes all lines that are kept, the oldest line first.
func (l *keptLog) copyTo(w io.Writer) {
	for _, path := range []string{l.oldPath(), l.path()} {
		f, err := l.root.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			_, err = io.Copy(w, f)
			_ = f.Close() // It was only read.
		}
		if err != nil {
			return // The caller has disconnected, or gets an incomplete last line.
		}
	}
}

// logger returns a logger that writes to log, and keeps the lines with the
// message.
func (l *keptLog) logger(log *slog.Logger) *slog.Logger {
	return slog.New(keptHandler{message: l.message, next: log.Handler(), keep: slog.NewJSONHandler(&l.file, nil)})
}

type keptHandler struct {
	message    string
	next, keep slog.Handler
}

func (h keptHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || h.next.Enabled(ctx, level)
}

func (h keptHandler) Handle(ctx context.Context, r slog.Record) error {
	var kept error
	if r.Message == h.message {
		kept = h.keep.Handle(ctx, r)
	}
	if !h.next.Enabled(ctx, r.Level) {
		return kept
	}
	return errors.Join(kept, h.next.Handle(ctx, r))
}

func (h keptHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return keptHandler{h.message, h.next.WithAttrs(attrs), h.keep.WithAttrs(attrs)}
}

func (h keptHandler) WithGroup(name string) slog.Handler {
	return keptHandler{h.message, h.next.WithGroup(name), h.keep.WithGroup(name)}
}
