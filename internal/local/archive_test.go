package local_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/data-sink/data-sink/internal/local"
)

func TestFolderWritesWholeObjects(t *testing.T) {
	t.Parallel()
	f, root := openFolder(t)
	bodies := map[byte]string{'a': strings.Repeat("a", 1<<20), 'b': strings.Repeat("b", 1<<20)}
	var wg sync.WaitGroup
	for letter := range bodies {
		wg.Go(func() {
			for range 20 {
				if err := f.Put(t.Context(), "orders/x", []byte(bodies[letter])); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for finished := false; !finished; {
		select {
		case <-done:
			finished = true
		default:
		}
		body, err := os.ReadFile(filepath.Join(root, "orders/x"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil || len(body) == 0 || string(body) != bodies[body[0]] {
			t.Fatalf("read %d bytes that nobody wrote together, %v", len(body), err)
		}
	}
}

// Of many calls with one key, the first one writes.
func TestFolderCreateIsAtomic(t *testing.T) {
	t.Parallel()
	root, temporary := t.TempDir(), t.TempDir()
	f, err := local.OpenFolder(root, temporary)
	if err != nil {
		t.Fatal(err)
	}
	const key = "orders/dt=2026-11-22/hour=23/fallback-1"
	if err := f.Create(t.Context(), key, []byte("first")); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if err := f.Create(t.Context(), key, []byte("second")); err != nil {
				t.Errorf("Create of an existing object = %v, want nil", err)
			}
		})
	}
	wg.Wait()
	if got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(key))); err != nil || string(got) != "first" {
		t.Errorf("object = %q, %v, want the first body", got, err)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("temporary files left: %v, %v", left, err)
	}
}

func TestFolderLeavesNothingOfAWriteThatFailed(t *testing.T) {
	t.Parallel()
	f, root := openFolder(t)
	err := f.Write(t.Context(), "orders/x", func(w io.Writer) error {
		_, err := io.WriteString(w, "half")
		return errors.Join(err, errors.New("gone"))
	})
	if err == nil {
		t.Error("Write = nil, want the error of the writer")
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = f.Write(ctx, "orders/y", func(w io.Writer) error {
		cancel()
		_, err := io.WriteString(w, "late")
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Write under a context that ends = %v", err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(root), "tmp", "*"))
	if got := objects(t, root); len(got) > 0 || len(left) > 0 || err != nil {
		t.Errorf("objects %v and files %v, %v, want none", got, left, err)
	}
}

func TestFolderRefusesKeysThatLeaveIt(t *testing.T) {
	t.Parallel()
	f, root := openFolder(t)
	for _, key := range []string{"", ".", "..", "/etc/x", "../x", "a/../../x", "a//b", "a/./b", "a/", "a\x00b"} {
		if err := f.Put(t.Context(), key, []byte("x")); err == nil {
			t.Errorf("Put(%q): no error", key)
		}
	}
	if got := objects(t, root); len(got) > 0 {
		t.Errorf("objects %v, want none", got)
	}
}

func TestFolderCheck(t *testing.T) {
	t.Parallel()
	f, root := openFolder(t)
	if err := f.Check(t.Context()); err != nil {
		t.Errorf("Check = %v", err)
	}
	if err := os.RemoveAll(filepath.Join(filepath.Dir(root), "tmp")); err != nil {
		t.Fatal(err)
	}
	if err := f.Check(t.Context()); err == nil {
		t.Error("Check of an archive that cannot be written: no error")
	}
}

func TestOpenFolderNamesWhatIsInTheWay(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := local.OpenFolder(filepath.Join(file, "archive"), filepath.Join(file, "tmp")); err == nil || !strings.Contains(fmt.Sprint(err), file) {
		t.Errorf("OpenFolder below a file = %v", err)
	}
}
