package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// usageError is an error in the arguments of a verb. The exit code is exitUsage.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usage formats a usageError.
func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// checkStream returns a usageError if name cannot be the name of a stream. An empty name is
// that of an absent argument.
func checkStream(name string) error {
	if name == "" {
		return nil
	}
	if err := stream.ValidateName(name); err != nil {
		return usageError{err}
	}
	return nil
}

// unknownStream returns the error for a stream that the deployment does not have.
func unknownStream(name string, known []string) error {
	return fmt.Errorf("no stream %q in this deployment; its streams are: %s", name, strings.Join(known, ", "))
}

// checkFile returns a usageError if a file cannot be read. The name "-" is standard
// input.
func checkFile(name string) error {
	if name == "-" {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return usageError{err}
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return usageError{err}
	}
	if info.IsDir() {
		return usage("%s: is a directory", name)
	}
	return nil
}
