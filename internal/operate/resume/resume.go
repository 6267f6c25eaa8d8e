// Package resume stores the progress of a long task of the operator's command on
// disk, so that the task can continue after an interrupt.
//
// A task consists of keys, each with parts numbered from 0. If the process is killed,
// the last few marks may be lost and those parts are repeated.
package resume

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

var (
	// ErrBusy is returned if another process works on the task.
	ErrBusy = errors.New("another process is working on the task")
	// ErrOther is returned if the file belongs to another task.
	ErrOther = errors.New("the file belongs to another task")
)

// State is the progress of a task. It is safe for concurrent use.
type State struct {
	mu      sync.Mutex
	file    *os.File
	keys    map[string]*progress
	unsaved int // marks since the last save
}

// progress is the progress of one key. All parts before next are done, and the parts
// in also.
type progress struct {
	next     int
	also     map[int]bool
	finished bool
	changed  bool
}

// line is a line of the file. A later line for a key replaces an earlier one.
type line struct {
	Task     string `json:"task,omitempty"`
	Key      string `json:"key,omitempty"`
	Next     int    `json:"next,omitempty"`
	Also     []int  `json:"also,omitempty"`
	Finished bool   `json:"finished,omitempty"`
}

// saveEvery is the number of marks between two saves. As many may be lost if the
// process is killed.
const saveEvery = 64

// Open opens the state of a task and creates the file if it does not exist. The task
// description must be the same each time. The caller must close the state.
func Open(path, task string) (*State, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("opening state: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening state: %w", err)
	}
	s := &State{file: file, keys: make(map[string]*progress)}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("opening state %s: %w", path, ErrBusy)
	}
	if err := s.load(task); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("opening state %s: %w", path, err)
	}
	return s, nil
}

func (s *State) load(task string) error {
	lines := bufio.NewReader(s.file)
	for n := 0; ; n++ {
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) { // a kill may leave an incomplete last line
			if n == 0 {
				return s.begin(task, len(text))
			}
			if len(text) > 0 {
				_, err := s.file.Write([]byte("\n"))
				return err
			}
			return nil
		}
		if err != nil {
			return err
		}
		var l line
		if json.Unmarshal(text, &l) != nil {
			if n == 0 {
				return ErrOther
			}
			continue // an incomplete line that the next process terminated
		}
		switch {
		case n == 0 && l.Task != task:
			return fmt.Errorf("%w: %q", ErrOther, l.Task)
		case l.Key != "":
			p := &progress{next: l.Next, finished: l.Finished, also: make(map[int]bool)}
			for _, part := range l.Also {
				p.also[part] = true
			}
			s.keys[l.Key] = p
		}
	}
}

// begin writes the first line of an empty file.
func (s *State) begin(task string, size int) error {
	if size > 0 {
		return ErrOther
	}
	return s.write(line{Task: task})
}

func (s *State) write(l line) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = s.file.Write(append(text, '\n'))
	return err
}

func (s *State) progress(key string) *progress {
	p := s.keys[key]
	if p == nil {
		p = &progress{also: make(map[int]bool)}
		s.keys[key] = p
	}
	return p
}

// IsDone reports whether a part of a key is marked as done.
func (s *State) IsDone(key string, part int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.progress(key)
	return p.finished || part < p.next || p.also[part]
}

// IsFinished reports whether all of a key is done.
func (s *State) IsFinished(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.progress(key).finished
}

// Mark marks a part of a key as done.
func (s *State) Mark(key string, part int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.progress(key)
	p.also[part] = true
	for p.also[p.next] {
		delete(p.also, p.next)
		p.next++
	}
	p.changed = true
	if s.unsaved++; s.unsaved < saveEvery {
		return nil
	}
	return s.save()
}

// Finish marks all parts of a key as done and saves the state.
func (s *State) Finish(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.progress(key)
	*p = progress{next: p.next, finished: true, changed: true}
	return s.save()
}

// Forget removes all marks of a key and saves the state.
func (s *State) Forget(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[key] = &progress{also: make(map[int]bool), changed: true}
	return s.save()
}

// save writes the changed keys. The caller holds mu.
func (s *State) save() error {
	s.unsaved = 0
	for key, p := range s.keys {
		if !p.changed {
			continue
		}
		p.changed = false
		l := line{Key: key, Next: p.next, Finished: p.finished, Also: slices.Sorted(maps.Keys(p.also))}
		if err := s.write(l); err != nil {
			return fmt.Errorf("saving state: %w", err)
		}
	}
	return nil
}

// Close saves the state and closes the file.
func (s *State) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.save(), s.file.Close())
}
