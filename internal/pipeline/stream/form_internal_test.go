package stream

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

// A form matches the same names as its regular expression.
func TestFormIsItsExpression(t *testing.T) {
	t.Parallel()
	for _, f := range []form{nameForm, deploymentForm} {
		expression := regexp.MustCompile(f.String())
		rapid.Check(t, func(t *rapid.T) {
			name := rapid.OneOf(
				rapid.StringMatching(`[a-z0-9-]{0,42}`), rapid.StringOf(rapid.SampledFrom([]rune("az09-A_. \n\x00é"))),
			).Draw(t, "name")
			if got, want := f.matches(name), expression.MatchString(name); got != want {
				t.Errorf("%s matches %q: %v, want %v", f, name, got, want)
			}
		})
	}
}
