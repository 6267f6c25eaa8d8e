package page

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheNewestObjectsComeFirst(t *testing.T) {
	t.Parallel()
	at := func(s string) string {
		parsed, err := time.Parse(firehoseTime, s)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%012x", parsed.UnixMilli())
	}
	uuid := func(s string) string { return at(s)[:8] + "-" + at(s)[8:] + "-7000-8000-000000000001" }
	// The UUIDv8 of a record with an idempotency key has no time; the file has.
	const keyed = "fallback-ffffffff-ffff-8000-8000-000000000001.gz"
	want := []string{
		"fallback-" + uuid("2026-11-22-23-09-00"),
		"datasink.orders-1-2026-11-22-23-08-00-00000000-0000-4000-8000-000000000000.gz",
		"oversize-" + uuid("2026-11-22-23-07-00") + ".gz",
		keyed,
		"datasink.orders-1-2026-11-22-23-06-00-ffffffff-0000-4000-8000-000000000000.gz",
	}
	data := t.TempDir()
	dir := filepath.Join(data, "orders", "dt=2026-11-22", "hour=23")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range want {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	modified := time.Date(2026, 11, 22, 23, 6, 30, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(dir, keyed), modified, modified); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(data)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	entries, err := list(root, "orders/dt=2026-11-22/hour=23")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

// Every object can be reached by the links of the tree.
func TestTheTreeLeadsToAllObjects(t *testing.T) {
	t.Parallel()
	const objects = 3*moreEntries + 7
	data := t.TempDir()
	if err := os.MkdirAll(filepath.Join(data, "orders"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range objects {
		name := fmt.Sprintf("datasink.orders-1-2026-11-22-23-%02d-%02d-x", i/60, i%60)
		if err := os.WriteFile(filepath.Join(data, "orders", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(data)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	q := query{stream: "orders"}
	shown := shownEntries
	for {
		inside := read(root, "", "orders", true, 0, q).Entries[0].Inside
		if len(inside.Entries) != min(shown, objects) {
			t.Fatalf("%d entries, want %d", len(inside.Entries), min(shown, objects))
		}
		if inside.Href == "" {
			break
		}
		if want := fmt.Sprintf("more=%d", q.more+moreEntries); !strings.Contains(inside.Href, want) {
			t.Fatalf("link %s, want %s in it", inside.Href, want)
		}
		q.more += moreEntries
		shown += moreEntries
	}
	if shown < objects {
		t.Errorf("the links end at %d of %d objects", shown, objects)
	}
}
