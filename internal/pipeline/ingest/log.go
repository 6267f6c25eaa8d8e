package ingest

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
)

// Names of the log lines. Alarms can filter by them.
const (
	authenticationFailed = "authentication_failed"
	credentialsUnusable  = "credentials_unusable"
	credentialsStale     = "credentials_refresh_failed"
	recordRefused        = "record_refused"
	recordArchived       = archive.LogArchived
	archiveFailed        = "archive_failed"
	undeclaredEncoding   = "undeclared_encoding"
	wakeFailed           = "wake_failed"
	breakerChanged       = "queue_breaker_changed"
)

// LogRefreshFailures returns a function for basicauth.Cache.OnFailure.
func LogRefreshFailures(logger *slog.Logger) func(context.Context, error) {
	return func(ctx context.Context, err error) {
		logger.ErrorContext(ctx, credentialsStale, "error", err)
	}
}

// logRefusal logs that a client's records are refused, because clients can ignore
// the answer. stream is empty if no stream of that name exists.
func (h *Handler) logRefusal(ctx context.Context, client basicauth.Client, stream string, err error) {
	var f *refusal
	if !errors.As(err, &f) || !h.logged.first(h.config.Now(), strings.Join([]string{recordRefused, client.Name, stream, f.code}, " "), true) {
		return
	}
	attrs := []slog.Attr{slog.String("client", client.Name), slog.String("code", f.code), slog.String("detail", f.detail)}
	if stream != "" {
		attrs = append(attrs, slog.String("stream", stream))
	}
	h.config.Log.LogAttrs(ctx, slog.LevelWarn, recordRefused, attrs...)
}

// logUndeclared logs that a client sends compressed bodies without a
// Content-Encoding, which are archived as they are.
func (h *Handler) logUndeclared(ctx context.Context, client basicauth.Client, stream string) {
	if h.logged.first(h.config.Now(), undeclaredEncoding+" "+client.Name, true) {
		h.config.Log.WarnContext(ctx, undeclaredEncoding, "client", client.Name, "stream", stream)
	}
}

const (
	// logInterval is the interval in which a repeated line is logged once.
	logInterval = time.Minute
	// maxStrangers bounds the number of unknown names that are remembered.
	maxStrangers = 64
)

// limiter remembers the lines that were logged in the current interval. The number
// of keys that a stranger can choose is bounded. The zero value is ready for use.
// A limiter is safe for concurrent use.
type limiter struct {
	mu        sync.Mutex
	start     time.Time
	seen      map[string]bool
	strangers int
}

// first reports whether key occurs for the first time in the current interval.
// known is false if a stranger chose the key. After maxStrangers such keys, first
// returns false for new ones.
func (l *limiter) first(now time.Time, key string, known bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	// The wall clock is used because the monotonic clock of a frozen environment can
	// stop.
	now = now.Round(0)
	if since := now.Sub(l.start); l.seen == nil || since >= logInterval || since < 0 {
		l.start, l.seen, l.strangers = now, make(map[string]bool), 0
	}
	switch {
	case l.seen[key], !known && l.strangers >= maxStrangers:
		return false
	case !known:
		l.strangers++
	}
	l.seen[key] = true
	return true
}
