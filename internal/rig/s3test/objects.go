package s3test

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// Objects reads the folder of a bucket of the local AWS, and returns the bodies by
// key. Objects whose keys end in .gz are decompressed.
func Objects(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".gz") {
			body = Gunzip(tb, body)
		}
		key, err := filepath.Rel(dir, path)
		found[filepath.ToSlash(key)] = string(body)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

// Joined returns the bodies of all objects, in the order of their keys.
func Joined(objects map[string]string) string {
	var all strings.Builder
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		all.WriteString(objects[key])
	}
	return all.String()
}

// Gzip compresses a text.
func Gzip(tb testing.TB, text string) string {
	tb.Helper()
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	if _, err := io.WriteString(w, text); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return compressed.String()
}

// Gunzip decompresses all gzip members of compressed.
func Gunzip(tb testing.TB, compressed []byte) []byte {
	tb.Helper()
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		tb.Fatal(err)
	}
	body, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return body
}
