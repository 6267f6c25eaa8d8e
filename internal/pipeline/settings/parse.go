package settings

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Default returns the settings of a deployment for which no setting is given.
func Default() Settings {
	s, err := Parse(nil)
	if err != nil {
		panic(err) // a test parses the defaults
	}
	return s
}

// Parse reads the settings from the context of a CDK app. Its error lists every
// problem, each with the name of its setting.
func Parse(context map[string]any) (Settings, error) {
	var s Settings
	var problems []error
	given := make(map[string]bool)
	for _, d := range declared {
		value, err := contextValue(context[d.Name])
		given[d.Name] = value != ""
		if value == "" {
			value = d.Default
			if d.defaultFor != nil {
				value = d.defaultFor(s)
			}
		}
		if err == nil && value != "" {
			err = d.read(&s, value)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", d.Name, err))
		}
	}
	problems = append(problems, unknown(context)...)
	if len(problems) == 0 {
		problems = s.contradictions(given)
	}
	if len(problems) > 0 {
		return Settings{}, fmt.Errorf("reading the settings:\n%w", errors.Join(problems...))
	}
	return s, nil
}

// contextValue returns a value of the context as text. Values from the command line
// are strings; cdk.json may also hold numbers and booleans.
func contextValue(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		return strings.TrimSpace(v), nil
	case bool:
		return strconv.FormatBool(v), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	default:
		return "", errors.New("want one value, not a list or an object")
	}
}

// ownKey matches the keys of this app. The CDK and its CLI keep their own keys in
// the same context; all of them contain a hyphen, a colon or an at sign.
var ownKey = regexp.MustCompile(`^[a-z][a-zA-Z]*$`)

func unknown(context map[string]any) []error {
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(context)) {
		isSetting := slices.ContainsFunc(declared, func(d Setting) bool { return d.Name == key })
		if ownKey.MatchString(key) && !isSetting {
			problems = append(problems, fmt.Errorf("%s: no such setting", key))
		}
	}
	return problems
}
