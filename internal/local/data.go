package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrLocked means that another process uses the data folder.
var ErrLocked = errors.New("another datasink uses this data folder")

// openData opens the data folder and locks it for this process. It makes the
// folder with mode 0700; an existing folder keeps its mode. A folder of another
// user is refused, also for root, because that user could replace its files. The
// lock ends with the process. All access goes through the returned root, so that
// no link leads out of the folder.
func openData(dir string) (root *os.Root, lock *os.File, err error) {
	if root, err = openOwn(dir); err != nil {
		return nil, nil, err
	}
	if lock, err = lockData(root, dir); err != nil {
		return nil, nil, errors.Join(err, root.Close())
	}
	return root, lock, nil
}

// MakeData makes the data folder and checks that Start can use it, without locking
// it.
func MakeData(dir string) error {
	root, err := openOwn(dir)
	if err != nil {
		return err
	}
	return root.Close()
}

// openOwn makes and opens a folder, which must belong to the user.
func openOwn(dir string) (*os.Root, error) {
	if err := makePrivate(dir); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the data folder: %w", err)
	}
	info, err := root.Stat(".")
	switch {
	case err != nil:
		err = fmt.Errorf("opening the data folder: %w", err)
	case !isOwn(info):
		err = fmt.Errorf("the data folder %s belongs to another user; use a folder of your own", dir)
	default:
		return root, nil
	}
	return nil, errors.Join(err, root.Close())
}

// makePrivate makes a folder with mode 0700, and its parents with the usual mode.
func makePrivate(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { // not the data folder
		return err
	}
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// isOwn reports whether a file belongs to the user of this process.
func isOwn(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// isPlain reports whether a file is a regular file of this user with one name, so
// that writing to it changes no other file.
func isPlain(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode().IsRegular() && isOwn(info) && stat.Nlink == 1
}

func lockData(root *os.Root, dir string) (*os.File, error) {
	f, err := root.OpenFile("lock", os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the data folder: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !isPlain(info) {
		err = errors.New("lock is not a file of your own")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking the data folder %s: %w", dir, err), f.Close())
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer func() { _ = f.Close() }()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking the data folder %s: %w", dir, err)
		}
		owner := make([]byte, 32)
		n, _ := f.Read(owner) // It only makes the error clearer.
		return nil, fmt.Errorf("%s: %w (process %s)", dir, ErrLocked, strings.TrimSpace(string(owner[:n])))
	}
	if err := errors.Join(f.Truncate(0), writeAt(f, fmt.Sprintln(os.Getpid()))); err != nil {
		return nil, errors.Join(fmt.Errorf("locking the data folder %s: %w", dir, err), f.Close())
	}
	return f, nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// replaceFile replaces a small file atomically. The file has mode 0600.
func replaceFile(root *os.Root, name string, content []byte) error {
	temporary := name + ".new"
	if err := root.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return root.Rename(temporary, name)
}

// leftovers returns the folders below dir that have files with that suffix and
// belong to no known stream. Their records are delivered only when the stream is
// in streams.json again.
func leftovers[T any](root *os.Root, dir, suffix string, known map[string]T) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return nil, fmt.Errorf("looking for streams: %w", err)
	}
	var left []string
	for _, e := range entries {
		if _, ok := known[e.Name()]; ok {
			continue
		}
		path := dir + "/" + e.Name()
		err := fs.WalkDir(root.FS(), path, func(_ string, file fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(file.Name(), suffix) {
				left = append(left, filepath.Join(root.Name(), path))
				return fs.SkipAll
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("looking for streams: %w", err)
		}
	}
	return left, nil
}
