package clients_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/data-sink/data-sink/internal/operate/clients"
)

func TestAFileIsEditedLikeTheSecret(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "clients.json")
	if err := clients.WriteFile(path, []byte(`{"datasink":"one"}`)); err != nil {
		t.Fatal(err)
	}
	store := clients.NewFileStore(path)
	if err := store.Edit(t.Context(), func(s *clients.Secret) error { return s.Add("shop", "two", []string{"orders"}) }); err != nil {
		t.Fatal(err)
	}
	want := `{"datasink":"one","shop":{"passwords":["two"],"streams":["orders"]}}` + "\n"
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("file %q, %v, want %q", got, err, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	err := store.Edit(t.Context(), func(s *clients.Secret) error {
		if err := clients.WriteFile(path, []byte(`{"datasink":"three"}`)); err != nil {
			t.Fatal(err)
		}
		return s.Revoke("shop")
	})
	if !errors.Is(err, clients.ErrConflict) {
		t.Errorf("an edit of a file that has changed = %v, want ErrConflict", err)
	}
}
