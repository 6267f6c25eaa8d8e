package local

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// leftovers returns the folders below dir that have files with that suffix and
// are of none of the known streams: records that nobody delivers until the stream
// is in streams.json again.
func leftovers[T any](dir, suffix string, known map[string]T) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("looking for streams: %w", err)
	}
	var left []string
	for _, e := range entries {
		if _, ok := known[e.Name()]; ok {
			continue
		}
		path := filepath.Join(dir, e.Name())
		err := filepath.WalkDir(path, func(_ string, file fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(file.Name(), suffix) {
				left = append(left, path)
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
