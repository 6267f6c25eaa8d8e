package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// moment is a time on the command line.
type moment struct{ time.Time }

// momentForms are the accepted layouts of an absolute time.
var momentForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02T15", "2006-01-02"}

// UnmarshalText parses a time (in UTC unless it has an offset), a date, "now", or
// a duration before now such as 90m or 2d.
func (m *moment) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "now" {
		m.Time = time.Now().UTC()
		return nil
	}
	for _, form := range momentForms {
		if t, err := time.Parse(form, s); err == nil {
			m.Time = t.UTC()
			return nil
		}
	}
	if ago, ok := duration(s); ok {
		m.Time = time.Now().UTC().Add(-ago)
		return nil
	}
	return fmt.Errorf("%q: want a time such as 2026-11-22T23:05 (UTC), a date, now, or a duration before now such as 90m or 2d", s)
}

// duration parses a duration, which may also be a number of days such as 2d.
func duration(s string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err == nil
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0
}
