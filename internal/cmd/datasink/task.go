package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/data-sink/data-sink/internal/operate/resume"
)

// task is the progress of a verb that can continue after an interrupt.
type task struct {
	*resume.State
	path  string
	again bool
}

// openTask opens the progress of a verb with its arguments. path is a file, or
// empty for a file in the user's cache folder. A repetition of work that was done
// before, again, has a file of its own: it begins at the start, but continues if
// it was interrupted.
func openTask(path string, again bool, verb string, arguments ...string) (*task, error) {
	description := append([]string{verb}, arguments...)
	if path == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("finding a folder for the state (set --state): %w", err)
		}
		sum := sha256.New()
		for _, argument := range arguments {
			fmt.Fprintf(sum, "%q", argument)
		}
		path = filepath.Join(cache, "datasink", verb+"-"+hex.EncodeToString(sum.Sum(nil)[:8])+".ndjson")
	}
	if again {
		path += ".again"
		description = append(description, "again")
	}
	state, err := resume.Open(path, strings.Join(description, " "))
	if err != nil {
		return nil, err
	}
	return &task{State: state, path: path, again: again}, nil
}

// close closes the progress. The progress of a repetition that is complete is
// removed.
func (t *task) close(complete bool) error {
	err := t.State.Close()
	if t.again && complete {
		err = errors.Join(err, os.Remove(t.path))
	}
	return err
}
