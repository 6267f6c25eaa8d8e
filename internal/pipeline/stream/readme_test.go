package stream_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// TestReadmeIsTrue holds the README's example and its table of fields.
func TestReadmeIsTrue(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(b), "\n## streams.json\n")
	if !found {
		t.Fatal("the README has no section on streams.json")
	}
	_, rest, _ := strings.Cut(section, "```json\n")
	example, _, ended := strings.Cut(rest, "```")
	if !ended {
		t.Fatal("the section has no example")
	}
	if _, err := stream.Parse([]byte(example)); err != nil {
		t.Errorf("the README's example: %v", err)
	}
	for i := range reflect.TypeFor[stream.Stream]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[stream.Stream]().Field(i).Tag.Get("json"), ",")
		if !strings.Contains(section, "| `"+name+"` |") {
			t.Errorf("the README's table has no row for %s", name)
		}
	}
}
