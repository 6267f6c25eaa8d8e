package cloud_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/rig/s3test"
)

func TestBucketWritesWholeObjects(t *testing.T) {
	t.Parallel()
	f, root := openBucket(t)
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

// Of many calls with one key, only one writes.
func TestBucketCreateIsAtomic(t *testing.T) {
	t.Parallel()
	f, root := openBucket(t)
	const key = "orders/dt=2026-11-22/hour=23/fallback-1"
	var written atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			_, err := f.PutObject(t.Context(), key, cloud.Conditions{IfNoneMatch: "*"}, func(w io.Writer) error {
				_, err := fmt.Fprint(w, "body ", i)
				return err
			})
			var e *cloud.Error
			switch {
			case err == nil:
				written.Add(1)
			case !errors.As(err, &e) || e.Code != cloud.PreconditionFailed:
				t.Errorf("PutObject = %v, want PreconditionFailed", err)
			}
		})
	}
	wg.Wait()
	if n := written.Load(); n != 1 {
		t.Errorf("%d of 16 conditional writes succeeded, want 1", n)
	}
	before := s3test.Objects(t, root)[key]
	if err := f.Create(t.Context(), key, []byte("another")); err != nil {
		t.Errorf("Create of an existing object = %v, want nil", err)
	}
	if got := s3test.Objects(t, root)[key]; got != before {
		t.Errorf("object = %q after Create, want %q", got, before)
	}
	if left, err := os.ReadDir(filepath.Join(filepath.Dir(root), "unfinished")); err != nil || len(left) > 0 {
		t.Errorf("unfinished objects left: %v, %v", left, err)
	}
}

// Links in the bucket's folder are not objects, and lead nowhere.
func TestBucketDoesNotFollowLinks(t *testing.T) {
	t.Parallel()
	f, root := openBucket(t)
	secret := filepath.Join(filepath.Dir(root), "endpoints.json")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"file": "../endpoints.json", "folder": "..", "out": t.TempDir()} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"file", "folder/endpoints.json"} {
		if _, _, err := f.GetObject(t.Context(), key); err == nil {
			t.Errorf("GetObject(%q): no error", key)
		}
	}
	for _, key := range []string{"folder/endpoints.json", "out/x"} {
		if err := f.Put(t.Context(), key, []byte("x")); err == nil {
			t.Errorf("Put(%q): no error", key)
		}
	}
	if err := f.Put(t.Context(), "file", []byte("x")); err != nil {
		t.Errorf("Put in place of a link = %v", err)
	}
	if got, err := os.ReadFile(secret); err != nil || string(got) != "secret" {
		t.Errorf("the file behind the link = %q, %v", got, err)
	}
	if keys, err := f.Keys(""); err != nil || !slices.Equal(keys, []string{"file"}) {
		t.Errorf("keys %v, %v, want the object that was put", keys, err)
	}
}

// Folders and objects are private, and only the bucket's own unfinished files are
// removed when it is opened.
func TestBucketFilesArePrivate(t *testing.T) {
	t.Parallel()
	f, root := openBucket(t)
	if err := f.Put(t.Context(), "a/b", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{"": 0o700, "a": 0o700, "a/b": 0o600} {
		info, err := os.Stat(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %q = %o, want %o", path, got, want)
		}
	}
	unfinished := filepath.Join(filepath.Dir(root), "unfinished")
	for _, name := range []string{"notes", "object-of a killed process"} {
		if err := os.WriteFile(filepath.Join(unfinished, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := cloud.OpenBucket("archive", openRoot(t, filepath.Dir(root)), "archive", nil); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(unfinished)
	if err != nil || len(left) != 1 || left[0].Name() != "notes" {
		t.Errorf("left in unfinished: %v, %v, want notes", left, err)
	}
}

func TestBucketLeavesNothingOfAWriteThatFailed(t *testing.T) {
	t.Parallel()
	f, root := openBucket(t)
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
	left, err := filepath.Glob(filepath.Join(filepath.Dir(root), "unfinished", "*"))
	if got := s3test.Objects(t, root); len(got) > 0 || len(left) > 0 || err != nil {
		t.Errorf("objects %v and files %v, %v, want none", got, left, err)
	}
}

func TestBucketRefusesKeysThatLeaveIt(t *testing.T) {
	t.Parallel()
	f, root := openBucket(t)
	for _, key := range []string{"", ".", "..", "/etc/x", "../x", "a/../../x", "a//b", "a/./b", "a/", "a\x00b"} {
		if err := f.Put(t.Context(), key, []byte("x")); err == nil {
			t.Errorf("Put(%q): no error", key)
		}
	}
	if got := s3test.Objects(t, root); len(got) > 0 {
		t.Errorf("objects %v, want none", got)
	}
}

func TestBucketCheck(t *testing.T) {
	t.Parallel()
	f, root := openBucket(t)
	if err := f.Check(t.Context()); err != nil {
		t.Errorf("Check = %v", err)
	}
	if err := os.RemoveAll(filepath.Join(filepath.Dir(root), "unfinished")); err != nil {
		t.Fatal(err)
	}
	if err := f.Check(t.Context()); err == nil {
		t.Error("Check of an archive that cannot be written: no error")
	}
}
