package env

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// reader reads one variable after another and keeps every problem.
type reader struct {
	getenv   func(string) string
	problems problemsError
}

type problemsError struct {
	list     []error
	missing  map[string]bool
	defaults map[string]string
}

func (e *problemsError) Error() string { return errors.Join(e.list...).Error() }

func (r *reader) err() error {
	if len(r.problems.list) == 0 {
		return nil
	}
	return fmt.Errorf("reading the environment: %w", &r.problems)
}

func (r *reader) problem(name, format string, args ...any) {
	r.problems.list = append(r.problems.list, fmt.Errorf(name+": "+format, args...))
}

func (r *reader) base() Base {
	b := Base{
		Name:          r.required(Name),
		Streams:       r.optional(Streams, "streams.json"),
		ArchiveBucket: r.required(ArchiveBucket),
		Version:       r.optional(Version, ""),
	}
	switch value := r.optional(StreamMetrics, FewStreamMetrics); value {
	case FewStreamMetrics:
	case AllStreamMetrics:
		b.AllStreamMetrics = true
	default:
		r.problem(StreamMetrics, "%q: want %s or %s", value, FewStreamMetrics, AllStreamMetrics)
	}
	if b.Name != "" {
		if err := stream.ValidateDeployment(b.Name); err != nil {
			r.problem(Name, "%w", err)
		}
	}
	return b
}

func (r *reader) redis() Redis {
	e := Redis{URL: r.required(RedisURL), Secret: r.optional(RedisSecret, "")}
	if e.URL == "" {
		return e
	}
	// The messages never contain the value, because a malformed URL may contain a
	// password.
	u, err := url.Parse(e.URL)
	switch {
	case err != nil:
		r.problem(RedisURL, "not a URL")
	case u.Scheme != "redis" && u.Scheme != "rediss" && u.Scheme != "unix":
		r.problem(RedisURL, "scheme %q: want redis, rediss or unix", u.Scheme)
	case u.User != nil:
		r.problem(RedisURL, "has credentials: put them into the secret that %s names", RedisSecret)
	}
	return e
}

func (r *reader) wake() Wake {
	w := Wake{QueueURL: r.required(WakeQueueURL), Interval: r.duration(WakeInterval, time.Second)}
	// SQS delays a message by whole seconds, up to 15 minutes.
	if w.Interval%time.Second != 0 || w.Interval > 15*time.Minute {
		r.problem(WakeInterval, "%v: want whole seconds, at most 15m", w.Interval)
	}
	return w
}

func (r *reader) required(name string) string {
	value := r.getenv(name)
	if value == "" {
		r.problem(name, "missing")
		if r.problems.missing == nil {
			r.problems.missing = make(map[string]bool)
		}
		r.problems.missing[name] = true
	}
	return value
}

func (r *reader) optional(name, byDefault string) string {
	if r.problems.defaults == nil {
		r.problems.defaults = make(map[string]string)
	}
	r.problems.defaults[name] = byDefault
	if value := r.getenv(name); value != "" {
		return value
	}
	return byDefault
}

func (r *reader) number(name string, byDefault, least int) int {
	value := r.optional(name, strconv.Itoa(byDefault))
	n, err := strconv.Atoi(value)
	if err != nil || n < least {
		r.problem(name, "%q: want a whole number, %d or more", value, least)
	}
	return n
}

func (r *reader) duration(name string, byDefault time.Duration) time.Duration {
	value := r.optional(name, byDefault.String())
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		r.problem(name, "%q: want a duration, for example 250ms or 1m30s", value)
	}
	return d
}

// boolean reads a variable whose default is false.
func (r *reader) boolean(name string) bool {
	value := r.optional(name, "false")
	if value != "true" && value != "false" {
		r.problem(name, "%q: want true or false", value)
	}
	return value == "true"
}
