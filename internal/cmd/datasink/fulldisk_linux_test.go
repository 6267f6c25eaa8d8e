package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// TestDevOutlivesAFullDisk fills the disk of the data folder under load. The process
// keeps what it has accepted, and delivers it when there is space again.
func TestDevOutlivesAFullDisk(t *testing.T) {
	t.Parallel()
	for name, disk := range map[string]disk{
		"no space":  {options: "size=64m", fill: fillSpace, reason: syscall.ENOSPC},
		"no inodes": {options: "size=64m,nr_inodes=1000", fill: fillInodes, reason: syscall.ENOSPC},
		"no writes": {reason: syscall.EFBIG},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			isDisk := disk.mount(t, folder)
			data := filepath.Join(folder, "data")
			d := start(t, data)
			l := d.under(t, 4)
			waitFor(t, "lines in the archive", func() bool { return l.count() > 200 && len(d.archived(t)) > 0 })
			var free func()
			if isDisk {
				free = disk.fill(t, folder)
			} else {
				disk.reason = syscall.EFBIG
				free = forbidWrites(t, d)
			}
			waitFor(t, "an error of the disk", func() bool { return strings.Contains(d.err.String(), disk.reason.Error()) })
			l.end()
			free()
			d.signal(t, syscall.SIGTERM)
			if code := d.exit(t); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
			l.check(t, d, false)
		})
	}
}

// disk is a way to have no space.
type disk struct {
	// options are those of the file system; empty for the limit on the size of files.
	options string
	// fill uses up a file system until free is called.
	fill   func(t *testing.T, folder string) (free func())
	reason syscall.Errno
}

// mount mounts a file system of memory. It reports false if the disk has no options,
// or if this process may not mount: then the limit on the size of files stands in.
func (d disk) mount(t *testing.T, folder string) bool {
	t.Helper()
	if d.options == "" {
		return false
	}
	err := syscall.Mount("tmpfs", folder, "tmpfs", 0, d.options)
	if errors.Is(err, syscall.EPERM) {
		t.Logf("mounting a file system: %v; a limit on the size of files is used instead", err)
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return true
}

// fillSpace writes a file until the disk is full. free removes it.
func fillSpace(t *testing.T, folder string) (free func()) {
	t.Helper()
	name := filepath.Join(folder, "ballast")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	return func() {
		if err := errors.Join(f.Close(), os.Remove(name)); err != nil {
			t.Error(err)
		}
	}
}

// fillInodes creates empty files until the disk has no inodes. free removes them.
func fillInodes(t *testing.T, folder string) (free func()) {
	t.Helper()
	ballast := filepath.Join(folder, "ballast")
	err := os.Mkdir(ballast, 0o700)
	for i := 0; err == nil; i++ {
		var f *os.File
		if f, err = os.Create(filepath.Join(ballast, fmt.Sprint(i))); err == nil {
			err = f.Close()
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.RemoveAll(ballast); err != nil {
			t.Error(err)
		}
	}
}

// forbidWrites lets every write to a file of the process fail, by the limit on the size
// of files. free removes the limit.
func forbidWrites(t *testing.T, d *dev) (free func()) {
	t.Helper()
	limit := func(most uint64) {
		l := syscall.Rlimit{Cur: most, Max: ^uint64(0)}
		if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(d.cmd.Process.Pid), syscall.RLIMIT_FSIZE, uintptr(unsafe.Pointer(&l)), 0, 0, 0); errno != 0 {
			t.Fatal(errno)
		}
	}
	limit(0)
	return func() { limit(^uint64(0)) }
}
