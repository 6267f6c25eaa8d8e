package stream

import (
	"fmt"
	"strings"
)

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	digits = "0123456789"
)

// form is the form of a name: one character of first, then lower-case letters,
// digits and hyphens, with at most most characters in total. It is equivalent to
// the regular expression that String returns, which would have to be compiled at
// each cold start.
type form struct {
	first string
	most  int
}

func (f form) matches(name string) bool {
	return name != "" && len(name) <= f.most &&
		strings.Contains(f.first, name[:1]) && strings.Trim(name, lower+digits+"-") == ""
}

func (f form) String() string {
	first := strings.NewReplacer(lower, "a-z", digits, "0-9").Replace(f.first)
	return fmt.Sprintf("^[%s][a-z0-9-]{0,%d}$", first, f.most-1)
}
