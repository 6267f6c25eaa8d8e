package local_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/local"
)

// A new data folder is private, and so is everything that is made in it.
func TestTheDataFolderIsPrivate(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Data = filepath.Join(t.TempDir(), "a", "data")
	o.OperatorAddr = "127.0.0.1:0"
	p := start(t, o)
	p.post(t, "orders", "a body")
	p.post(t, "orders", strings.Repeat("x", 1_200_000)) // a direct record
	waitFor(t, "the records", func() bool { return len(bodies(t, p.root, "orders")) == 2 })
	seen := 0
	err := filepath.WalkDir(o.Data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		seen++
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("mode of %s = %o, want 0700 or 0600", path, info.Mode().Perm())
		}
		return nil
	})
	if err != nil || seen < 10 {
		t.Errorf("%d files and folders seen, %v", seen, err)
	}
}

func TestAnExistingDataFolderKeepsItsModeAndFiles(t *testing.T) {
	t.Parallel()
	o := options(t)
	if err := os.Chmod(o.Data, 0o750); err != nil { // the mode is the test
		t.Fatal(err)
	}
	notes := filepath.Join(o.Data, "tmp", "notes")
	if err := os.MkdirAll(notes, 0o750); err != nil {
		t.Fatal(err)
	}
	start(t, o).stop(t)
	if info, err := os.Stat(o.Data); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("mode %v, %v, want 0750", info.Mode(), err)
	}
	if _, err := os.Stat(notes); err != nil {
		t.Errorf("a folder of the user is gone: %v", err)
	}
}

// Links in the data folder are not followed out of it.
func TestLinksInTheDataFolderAreRefused(t *testing.T) {
	t.Parallel()
	for _, link := range []string{"lock", "archive", "kinesis", "firehose", "packed.ndjson", "unfinished"} {
		t.Run(link, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			elsewhere := t.TempDir()
			precious := filepath.Join(elsewhere, "precious")
			if err := os.WriteFile(precious, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			target := elsewhere
			if link == "lock" || link == "packed.ndjson" {
				target = precious
			}
			if err := os.Symlink(target, filepath.Join(o.Data, link)); err != nil {
				t.Fatal(err)
			}
			if _, err := local.Start(t.Context(), o); err == nil {
				t.Error("Start = nil, want an error")
			}
			if body, err := os.ReadFile(precious); err != nil || string(body) != "precious" {
				t.Errorf("the file behind the link = %q, %v", body, err)
			}
			if left, err := os.ReadDir(elsewhere); err != nil || len(left) != 1 {
				t.Errorf("files behind the link: %v, %v, want one", left, err)
			}
		})
	}
}

// A data folder of another user is refused, also for root.
func TestADataFolderOfAnotherUserIsRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		// Only root can give a folder to another user. For all others, the folder of
		// another user is /, which belongs to root.
		o := options(t)
		o.Data = "/"
		if _, err := local.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "another user") {
			t.Errorf("Start in / = %v, want an error", err)
		}
		return
	}
	o := options(t)
	if err := os.Chown(o.Data, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if _, err := local.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Errorf("Start = %v, want an error", err)
	}
	if left, err := os.ReadDir(o.Data); err != nil || len(left) > 0 {
		t.Errorf("files in the folder of another user: %v, %v, want none", left, err)
	}
}
