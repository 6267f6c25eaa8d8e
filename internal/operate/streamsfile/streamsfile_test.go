package streamsfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/operate/streamsfile"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
)

func TestAddKeepsTheForm(t *testing.T) {
	t.Parallel()
	plain := stream.Stream{Name: "new"}
	full := stream.Stream{Name: "new", Shards: 2, Format: stream.Raw}
	for _, tt := range []struct {
		name          string
		add           stream.Stream
		content, want string
	}{
		{
			"one entry a line", full, "{\n  \"$schema\": \"x\",\n  \"streams\": [\n    {\"name\": \"a\"},\n    {\"name\": \"b\", \"shards\": 4}\n  ]\n}\n",
			"{\n  \"$schema\": \"x\",\n  \"streams\": [\n    {\"name\": \"a\"},\n    {\"name\": \"b\", \"shards\": 4},\n    {\"name\": \"new\", \"format\": \"raw\", \"shards\": 2}\n  ]\n}\n",
		},
		{"the only entry", plain, "{\n\t\"streams\": [\n\t\t{\"name\":\"a\"}\n\t]\n}", "{\n\t\"streams\": [\n\t\t{\"name\":\"a\"},\n\t\t{\"name\": \"new\"}\n\t]\n}"},
		{"all on one line", plain, `{"streams":[{"name":"a"},{"name":"b"}]}`, `{"streams":[{"name":"a"},{"name":"b"},{"name": "new"}]}`},
		{"one on one line", plain, `{"streams": [{"name":"a"}]}`, `{"streams": [{"name":"a"}, {"name": "new"}]}`},
		{
			"a line a field", full, "{\r\n  \"streams\": [\r\n    {\r\n      \"name\": \"a\"\r\n    }\r\n  ]\r\n}\r\n",
			"{\r\n  \"streams\": [\r\n    {\r\n      \"name\": \"a\"\r\n    },\r\n    {\r\n      \"name\": \"new\",\r\n      \"format\": \"raw\",\r\n      \"shards\": 2\r\n    }\r\n  ]\r\n}\r\n",
		},
		{"empty, on one line", plain, `{"streams":[]}`, `{"streams":[{"name": "new"}]}`},
		{"empty", plain, "{\n  \"streams\": []\n}\n", "{\n  \"streams\": [\n    {\"name\": \"new\"}\n  ]\n}\n"},
		{"another list before", plain, "{\"streams\": [\n {\"name\": \"streams\"}\n], \"$schema\": \"[{]\"}", "{\"streams\": [\n {\"name\": \"streams\"},\n {\"name\": \"new\"}\n], \"$schema\": \"[{]\"}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := streamsfile.Add([]byte(tt.content), tt.add)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("content differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	const content = `{"streams":[{"name":"a"}]}`
	for _, tt := range []struct {
		content string
		add     stream.Stream
		want    string
	}{
		{content, stream.Stream{Name: "a"}, `streams[1].name: "a" is also the name of streams[0]`},
		{content, stream.Stream{Name: "B", Shards: 501}, "streams[1].shards: 501: want 1 to 500"},
		{content, stream.Stream{}, "streams[1].name: missing"},
		{`{"streams":[{"nam":"a"}]}`, stream.Stream{Name: "b"}, "streams[0].nam: unknown field"},
		{"", stream.Stream{Name: "b"}, "unexpected end"},
	} {
		if _, err := streamsfile.Add([]byte(tt.content), tt.add); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Add to %s = %v, want %q", tt.content, err, tt.want)
		}
	}
}

func TestWriteReplacesTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link := filepath.Join(dir, "streams.json"), filepath.Join(dir, "link.json")
	if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("streams.json", link); err != nil {
		t.Fatal(err)
	}
	if err := streamsfile.Write(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "new" {
		t.Errorf("the file is %q, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("the folder has %v, %v", left, err)
	}
	if err := streamsfile.Write(filepath.Join(dir, "other.json"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Write of a file that does not exist = %v", err)
	}
}

func FuzzAdd(f *testing.F) {
	f.Add([]byte(`{"streams":[{"name":"a"}]}`), "b")
	f.Add([]byte("{ \"streams\" : [ ] }"), "new")
	f.Fuzz(func(t *testing.T, content []byte, name string) {
		before, err := stream.Parse(content)
		if err != nil {
			return
		}
		added, err := streamsfile.Add(content, stream.Stream{Name: name})
		if err != nil {
			return
		}
		after, err := stream.Parse(added)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(append(before.All(), after.All()[len(after.All())-1]), after.All()); diff != "" {
			t.Errorf("other entries changed (-want +got):\n%s", diff)
		}
		if _, ok := after.Lookup(name); !ok {
			t.Errorf("%q is not in %s", name, added)
		}
	})
}
