package chaos

import (
	"errors"
	"fmt"
	"strings"
)

// Report is the result of a scenario.
type Report struct {
	lines  []string
	broken []error
}

// String returns the figures of the scenario, as lines.
func (r Report) String() string { return strings.Join(r.lines, "\n") }

// Err returns the broken promises; nil if there are none.
func (r Report) Err() error { return errors.Join(r.broken...) }

func (r *Report) printf(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

// want records a broken promise, which the format describes, unless kept is true.
func (r *Report) want(kept bool, format string, args ...any) {
	if !kept {
		r.broken = append(r.broken, fmt.Errorf(format, args...))
	}
}

// wantVerdict records what is wrong with a verdict.
func (r *Report) wantVerdict(v Verdict) { r.broken = append(r.broken, v.Err()) }
