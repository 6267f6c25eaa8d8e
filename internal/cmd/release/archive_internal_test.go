package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	at    = time.Date(2026, 11, 22, 23, 5, 0, 0, time.UTC)
	files = []file{{"datasink", 0o755, bytes.Repeat([]byte("binary"), 1000)}, {"README.md", 0o644, []byte("# The command")}}
)

func TestArchivesAreReproducible(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(string, time.Time, []file) error{"a.tar.gz": writeTar, "a.zip": writeZip} {
		var all [][]byte
		for range 2 {
			path := filepath.Join(t.TempDir(), name)
			if err := write(path, at, files); err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, content)
		}
		if !bytes.Equal(all[0], all[1]) {
			t.Errorf("%s: two runs wrote different bytes", name)
		}
	}
}

func TestTar(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.tar.gz")
	if err := writeTar(path, at, files); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(z)
	for _, want := range files {
		header, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(content, want.content) {
			t.Errorf("%s holds %d bytes, %v, want %d", want.name, len(content), err, len(want.content))
		}
		if header.Name != want.name || header.FileInfo().Mode() != want.mode || !header.ModTime.Equal(at) {
			t.Errorf("the header is %+v, want %s with mode %v of %v", header, want.name, want.mode, at)
		}
	}
}

func TestZip(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.zip")
	if err := writeZip(path, at, files); err != nil {
		t.Fatal(err)
	}
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	for i, want := range files {
		got := z.File[i]
		if got.Name != want.name || got.Mode() != want.mode || !got.Modified.Equal(at) {
			t.Errorf("the header is %+v, want %s with mode %v of %v", got.FileHeader, want.name, want.mode, at)
		}
	}
}

func TestTheVersionIsChecked(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	for _, version := range []string{"", "1.2.3", "v1.2", "v1.2.3; rm", "abc1234-dirty"} {
		if err := run(version, out); err == nil || !strings.Contains(err.Error(), "v1.2.3") {
			t.Errorf("run(%q) = %v, want it refused", version, err)
		}
	}
}
