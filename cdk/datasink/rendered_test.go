package datasink

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var idHash = regexp.MustCompile(`([a-z0-9])[0-9A-F]{8}($|[.}])`)

// plain takes the hashes out of logical ids.
func plain(text string) string { return idHash.ReplaceAllString(text, "$1$2") }

// resolved is a value with its intrinsic functions rendered.
func resolved(value any) any {
	switch v := value.(type) {
	case object:
		for key := range v {
			if len(v) == 1 && (key == "Ref" || strings.HasPrefix(key, "Fn::")) {
				return plain(rendered(v))
			}
		}
		m := maps.Clone(v)
		for key := range m {
			m[key] = resolved(m[key])
		}
		return m
	case []any:
		l := slices.Clone(v)
		for i := range l {
			l[i] = resolved(l[i])
		}
		return l
	default:
		return v
	}
}

// named is the resource of a type whose logical id, without its hash, is id.
func named(t testing.TB, tpl template, kind, id string) resource {
	t.Helper()
	for logical, r := range ofType(tpl, kind) {
		if plain(logical) == id {
			return r
		}
	}
	t.Fatalf("%s has no %s %s", tpl.file, kind, id)
	panic("unreachable")
}

func asJSON(value any) string {
	b, _ := json.Marshal(value)
	return string(b)
}

// rendered shows a value with its intrinsic functions as one readable string, as
// in "arn:${AWS::Partition}:kinesis:…:stream/datasink.*".
func rendered(value any) string {
	m, ok := value.(object)
	if !ok || len(m) != 1 {
		if s, ok := value.(string); ok {
			return s
		}
		b, _ := json.Marshal(value)
		return string(b)
	}
	for name, argument := range m {
		list, _ := argument.([]any)
		switch name {
		case "Ref":
			return fmt.Sprintf("${%v}", argument)
		case "Fn::GetAtt":
			return fmt.Sprintf("${%v.%v}", list[0], list[1])
		case "Fn::Join":
			parts, _ := list[1].([]any)
			texts := make([]string, len(parts))
			for i, p := range parts {
				texts[i] = rendered(p)
			}
			return strings.Join(texts, fmt.Sprint(list[0]))
		}
	}
	b, _ := json.Marshal(value)
	return string(b)
}
