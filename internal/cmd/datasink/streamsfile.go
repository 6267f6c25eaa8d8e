package main

import (
	"errors"
	"io/fs"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// streamsFile is the flag of the verbs that need the settings of a stream.
type streamsFile struct {
	Streams string `default:"streams.json" type:"path" help:"The streams.json of the deployment."`
}

// stream looks up a stream in streams.json. known is false if the file does not
// exist or has no such stream; a file that cannot be read is an error.
func (f *streamsFile) stream(name string) (s stream.Stream, known bool, err error) {
	set, err := loadStreams(f.Streams)
	if errors.Is(err, fs.ErrNotExist) {
		return stream.Stream{Name: name}, false, nil
	}
	if err != nil {
		return stream.Stream{}, false, err
	}
	if s, known = set.Lookup(name); !known {
		s.Name = name
	}
	return s, known, nil
}

// names returns the names of all streams in streams.json, or none if the file does
// not exist.
func (f *streamsFile) names() ([]string, error) {
	set, err := loadStreams(f.Streams)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return set.Names(), nil
}

// loadStreams reads a streams.json. Every error is a usageError, as with checkFile.
func loadStreams(name string) (*stream.Set, error) {
	set, err := stream.Load(name)
	if err != nil {
		return nil, usageError{err}
	}
	return set, nil
}
