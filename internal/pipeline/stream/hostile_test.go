package stream_test

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"pgregory.net/rapid"
)

// hostileNames are invalid names of streams, escaped as in JSON.
var hostileNames = []string{
	"", ".", "..", "../a", "a/b", "/a", "a/", `a\\b`, "a.b", "a:b", "{a}", "}a{", "a}:queue", "a*", "a?", "[a]", "a%2fb", "%61", "a b", " a", "a ", "a+b", "a_b", "A", "aA",
	`a\u0000`, `\u0000`, `a\n`, `a\r\n`, `a\u001b[31m`, `a\u2028`, "é", "ａ", "а", `a\u200d`, `\ufeffa`, `a\ud800`, "a\xff", "-", "-a", "failed", "aws", "_manifests", "_replayed", "$default",
	strings.Repeat("a", 41), strings.Repeat("a", 10_000), strings.Repeat("é", 20),
}

// A hostile name, field or value cannot add lines to the error, or make it long.
func TestHostileNamesAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range hostileNames {
		for at, file := range map[string]string{
			"name":         `{"streams":[{"name":"` + name + `"}]}`,
			"second name":  `{"streams":[{"name":"a"},{"name":"b"},{"name":"` + name + `"}]}`,
			"field":        `{"streams":[{"name":"a","` + name + `":1}]}`,
			"value":        `{"streams":[{"name":"a","overflow":"x` + name + `"}]}`,
			"field at top": `{"streams":[{"name":"a"}],"` + name + `":1}`,
		} {
			err := parseError(file)
			if err == nil {
				t.Errorf("%s %.60q: no error", at, name)
				continue
			}
			if s := err.Error(); len(s) > 1000 || strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("%s %.60q: error of %d bytes: %.300q", at, name, len(s), s)
			}
		}
	}
}

func TestHostileFilesAreRefused(t *testing.T) { // not parallel: it measures the whole process
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, file := range map[string]string{
		"BOM":                    "\ufeff" + `{"streams":[{"name":"a"}]}`,
		"UTF-16":                 "\xff\xfe{\x00}\x00",
		"NUL":                    "\x00",
		"NUL behind":             "{\"streams\":[{\"name\":\"a\"}]}\x00",
		"NUL within":             "{\"streams\":[\x00]}",
		"a comment":              `{"streams":[{"name":"a"}]} // none`,
		"a comma too many":       `{"streams":[{"name":"a"},]}`,
		"as deep as JSON may be": `{"streams":` + deep(9_990) + `}`,
		"deeper":                 `{"streams":` + deep(20_000) + `}`,
		"deep without an end":    strings.Repeat(`{"streams":[`, 20_000),
		"deep schema":            `{"$schema":` + deep(9_990) + `,"streams":[{"name":"a"}]}`,
		"deep name":              `{"streams":[{"name":` + deep(9_000) + `}]}`,
		"name of 1 MB":           `{"streams":[{"name":"` + strings.Repeat("a", 1<<20) + `"}]}`,
		"field of 1 MB":          `{"streams":[{"name":"a","` + strings.Repeat("a", 1<<20) + `":1}]}`,
		"number without end":     `{"streams":[{"name":"a","shards":` + strings.Repeat("9", 100_000) + `}]}`,
		"number beyond all":      `{"streams":[{"name":"a","shards":1e999999999}]}`,
		"negative":               `{"streams":[{"name":"a","shards":-1}]}`,
		"almost nothing":         `{"streams":[{"name":"a","shards":1e-999999999}]}`,
		"number as text":         `{"streams":[{"name":"a","shards":"1"}]}`,
		"one more than an int":   `{"streams":[{"name":"a","shards":9223372036854775808}]}`,
		"wraps around to 1":      `{"streams":[{"name":"a","shards":18446744073709551617}]}`,
		"the same name":          `{"streams":[` + strings.Repeat(`{"name":"a"},`, 1000) + `{"name":"a"}]}`,
		"the same field":         `{"streams":[{` + strings.Repeat(`"name":"a",`, 5_000) + `"name":"a"}]}`,
		"prototype":              `{"streams":[{"name":"a","__proto__":{"shards":1}}]}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := parseError(file)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if s := err.Error(); len(s) > 100_000 {
			t.Errorf("%s: error of %d bytes: %.300q", name, len(s), s)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20 {
			t.Errorf("%s: Parse of %d bytes allocated %d", name, len(file), got)
		}
	}
}

// Every name that Parse accepts has a folder and a resource name of its own.
func TestNamesStayInTheirPlace(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 23, 7, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z0-9-]{0,42}`), rapid.StringOf(rapid.SampledFrom([]rune("a0-./{}:%\x00Aé")))).Draw(t, "name")
		file, err := json.Marshal(map[string]any{"streams": []map[string]string{{"name": name}}})
		if err != nil {
			t.Fatal(err)
		}
		set, err := stream.Parse(file)
		if err != nil {
			return
		}
		s, ok := set.Lookup(name)
		if !ok || len(set.All()) != 1 || s.Name != name {
			t.Fatalf("Parse of %q has %+v", name, set.All())
		}
		for _, c := range name {
			if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-", c) {
				t.Fatalf("Parse accepts %q", name)
			}
		}
		if folder := s.Folder(at); folder != name+"/dt=2026-11-22/hour=23/" || strings.HasPrefix(folder, "failed/") || strings.HasPrefix(folder, "aws/") {
			t.Fatalf("Folder of %q = %q", name, folder)
		}
		if resource := stream.ResourceName("datasink", name); len(resource) > 64 || strings.Count(resource, ".") != 1 {
			t.Fatalf("ResourceName of %q = %q", name, resource)
		}
	})
}
