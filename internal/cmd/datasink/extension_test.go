package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/rig/s3test"
)

// TestExtensionsAreCarriedByEveryPart sends records through streams with extensions:
// through Firehose, as direct records, and again by a replay.
func TestExtensionsAreCarriedByEveryPart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "streams.json")
	if err := os.WriteFile(file, []byte(`{"streams":[{"name":"zipped","extension":".json.gz"},{"name":"plain","compression":"none","extension":".ndjson"},
		{"name":"members","format":"raw","extension":".gz"},{"name":"copy","format":"raw","extension":".gz"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	streams := "--streams=" + file
	d := start(t, t.TempDir(), streams)
	// expect waits for the objects of a stream, and compares their content with bodies.
	expect := func(name, suffix string, bodies ...string) {
		t.Helper()
		var content string
		all := strings.Join(bodies, "")
		waitFor(t, "the objects of "+name, func() bool {
			content = ""
			for _, path := range d.objects(t, name) {
				if !strings.HasSuffix(path, suffix) {
					t.Fatalf("%s has the object %s, want a name that ends in %s", name, path, suffix)
				}
				if name == "zipped" {
					content += unpacked(t, path)
				} else {
					stored, err := os.ReadFile(path)
					if err != nil {
						t.Fatal(err)
					}
					content += string(stored)
				}
			}
			return len(content) >= len(all)
		})
		for _, body := range bodies {
			content = strings.Replace(content, body, "", 1)
		}
		if content != "" {
			t.Errorf("the objects of %s have %d bytes that were not sent, such as %.40q", name, len(content), content)
		}
	}
	large := strings.Repeat("0123456789abcdef", 70_000) + "\n" // over the limit of the tap
	members := []string{s3test.Gzip(t, "{\"n\":3}\n"), s3test.Gzip(t, "{\"n\":4}\n")}
	for name, bodies := range map[string][]string{"zipped": {"{\"n\":1}\n", large}, "plain": {"{\"n\":2}\n", large}, "members": members} {
		for _, body := range bodies {
			d.operate(t, body, "send", name).done(t)
		}
	}
	expect("zipped", ".json.gz", "{\"n\":1}\n", large)
	expect("plain", ".ndjson", "{\"n\":2}\n", large)
	expect("members", ".gz", members...)
	d.operate(t, "", "replay", "--stream=members", "--into=copy", "--from=1h", "--to=now", streams).done(t)
	expect("copy", ".gz", members...)
	for _, name := range []string{"zipped", "plain", "members", "copy"} {
		d.operate(t, "", "verify", "--stream="+name, streams, "--from=1h", "--settle=1ms", "--tap").done(t)
	}
	if printed := d.operate(t, "", "sql", "members", "--for=spark", streams).done(t); !strings.Contains(printed, "/members/'") {
		t.Errorf("sql printed:\n%s", printed)
	}
}
