package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
)

// Folder is an archive of plain files, one for each object. Objects appear whole
// or not at all: they are written beside the folder and then renamed into it. It
// is safe for concurrent use.
type Folder struct {
	root, temporary string
}

var _ archive.Store = (*Folder)(nil)

// OpenFolder returns the archive in root. What a process that was killed has left
// in temporary, which must be on the same file system, is removed.
func OpenFolder(root, temporary string) (*Folder, error) {
	if err := os.RemoveAll(temporary); err != nil {
		return nil, fmt.Errorf("opening the archive: %w", err)
	}
	for _, dir := range []string{root, temporary} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("opening the archive: %w", err)
		}
	}
	return &Folder{root: root, temporary: temporary}, nil
}

// Put writes one object.
func (f *Folder) Put(ctx context.Context, key string, body []byte) error {
	return f.Write(ctx, key, func(w io.Writer) error {
		_, err := w.Write(body)
		return err
	})
}

// Create writes one object unless there is one with its key. Of several calls at
// once, exactly one writes.
func (f *Folder) Create(ctx context.Context, key string, body []byte) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("writing %s: %w", key, err)
	}
	err := f.write(key, func(w io.Writer) error {
		_, err := w.Write(body)
		return errors.Join(err, ctx.Err())
	}, link)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// link moves a file like os.Rename, but it does not replace a file.
func link(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}

// Write writes one object with what write writes. It is not written when write
// fails, or when ctx has ended by then.
func (f *Folder) Write(ctx context.Context, key string, write func(io.Writer) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("writing %s: %w", key, err)
	}
	return f.write(key, func(w io.Writer) error {
		return errors.Join(write(w), ctx.Err())
	}, os.Rename)
}

// write writes one object to a temporary file, which move moves to its place.
func (f *Folder) write(key string, write func(io.Writer) error, move func(from, to string) error) error {
	path, err := f.path(key)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(f.temporary, "object-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", key, err)
	}
	err = errors.Join(write(file), file.Close())
	if err == nil {
		err = errors.Join(os.Chmod(file.Name(), 0o644), os.MkdirAll(filepath.Dir(path), 0o755))
	}
	if err == nil {
		err = move(file.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", key, err), os.Remove(file.Name()))
	}
	return nil
}

// Check writes a file and removes it.
func (f *Folder) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("checking the archive: %w", err)
	}
	file, err := os.CreateTemp(f.temporary, "check-*")
	if err != nil {
		return fmt.Errorf("checking the archive: %w", err)
	}
	_, err = file.WriteString("x")
	if err := errors.Join(err, file.Close(), os.Remove(file.Name())); err != nil {
		return fmt.Errorf("checking the archive: %w", err)
	}
	return nil
}

// path is where the object of that key lies. A key that is no plain path below
// the folder has no place on disk.
func (f *Folder) path(key string) (string, error) {
	local := filepath.FromSlash(key)
	if !filepath.IsLocal(local) || filepath.Clean(local) != local || strings.ContainsRune(key, 0) || local == "." {
		return "", fmt.Errorf("key %q cannot be a file", key)
	}
	return filepath.Join(f.root, local), nil
}

// writeFile replaces a small file as a whole.
func writeFile(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
