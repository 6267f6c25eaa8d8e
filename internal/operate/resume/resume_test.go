package resume_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/data-sink/data-sink/internal/operate/resume"
)

func open(t *testing.T, path string) *resume.State {
	t.Helper()
	s, err := resume.Open(path, "replay a into b")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mark(t *testing.T, s *resume.State, key string, parts ...int) {
	t.Helper()
	for _, part := range parts {
		if err := s.Mark(key, part); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStateOutlivesItsProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "state")
	s := open(t, path)
	mark(t, s, "a", 1, 0, 2, 5)
	if err := s.Finish("b"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	for part, want := range []bool{true, true, true, false, false, true, false} {
		if got := s.IsDone("a", part); got != want {
			t.Errorf("IsDone(a, %d) = %v, want %v", part, got, want)
		}
	}
	if s.IsFinished("a") || !s.IsFinished("b") {
		t.Errorf("IsFinished = %v for a and %v for b, want false and true", s.IsFinished("a"), s.IsFinished("b"))
	}
	if !s.IsDone("b", 100) || s.IsDone("c", 0) {
		t.Errorf("IsDone = %v for a part of b and %v for c, want true and false", s.IsDone("b", 100), s.IsDone("c", 0))
	}
	mark(t, s, "a", 3, 4)
	if err := s.Forget("b"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if !s.IsDone("a", 5) || s.IsDone("a", 6) {
		t.Errorf("IsDone(a) = %v for 5 and %v for 6, want true and false", s.IsDone("a", 5), s.IsDone("a", 6))
	}
	if s.IsFinished("b") || s.IsDone("b", 0) {
		t.Error("b is still done after Forget")
	}
}

func TestAKilledProcessForgetsFewParts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	s := open(t, path)
	for part := range 1000 {
		mark(t, s, "a", part)
	}
	// As after a kill, in the midst of a line.
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	killed := path + ".killed"
	if err := os.WriteFile(killed, append(content, `{"key":"a","ne`...), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second process terminates the line, the third one skips it
		s = open(t, killed)
		if !s.IsDone("a", 935) || s.IsDone("a", 1000) {
			t.Error("more than the last 64 parts are forgotten, or there are new ones")
		}
		mark(t, s, "b", 0)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStateIsForOneTaskAndOneProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	s := open(t, path)
	if _, err := resume.Open(path, "replay a into b"); !errors.Is(err, resume.ErrBusy) {
		t.Errorf("Open of an open state = %v, want ErrBusy", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := resume.Open(path, "replay a into c"); !errors.Is(err, resume.ErrOther) {
		t.Errorf("Open of another task's state = %v, want ErrOther", err)
	}
	foreign := filepath.Join(t.TempDir(), "foreign")
	if err := os.WriteFile(foreign, []byte("a letter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := resume.Open(foreign, "replay a into b"); !errors.Is(err, resume.ErrOther) {
		t.Errorf("Open of a foreign file = %v, want ErrOther", err)
	}
	if content, err := os.ReadFile(foreign); err != nil || string(content) != "a letter\n" {
		t.Errorf("the foreign file is now %q, %v", content, err)
	}
}
