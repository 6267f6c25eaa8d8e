package local_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/data-sink/data-sink/internal/local"
)

// A full disk at the moment of a rotation does not end the log.
func TestARotatingFileOutlivesAFullDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	full := false
	f := &local.RotatingFile{
		Open: func() (*os.File, error) {
			if full {
				return nil, errors.New("no space left on device")
			}
			return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		},
		Rotate: func() error { return os.Rename(path, path+".old") },
		Limit:  5,
	}
	t.Cleanup(func() { _ = f.Close() })
	write := func(line string) error {
		_, err := f.Write([]byte(line))
		return err
	}
	if err := write("first\n"); err != nil {
		t.Fatal(err)
	}
	full = true
	for range 2 {
		if err := write("lost\n"); err == nil {
			t.Error("a write without a file: no error")
		}
	}
	full = false
	if err := write("second\n"); err != nil {
		t.Errorf("a write after the disk has space again: %v", err)
	}
	for name, want := range map[string]string{path + ".old": "first\n", path: "second\n"} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v, want %q", name, got, err, want)
		}
	}
}
