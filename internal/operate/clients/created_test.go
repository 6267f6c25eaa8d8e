package clients_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/operate/clients"
	"github.com/google/go-cmp/cmp"
)

func created(t *testing.T, store *clients.Store) map[string][]clients.Created {
	t.Helper()
	secret, err := store.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all, err := store.Created(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Each version of the secret adds a password. The dates of the passwords follow from the
// versions that can still be read.
func TestPasswordsAreDatedByTheVersionsOfTheSecret(t *testing.T) {
	t.Parallel()
	s := &secret{content: `{"datasink":"first"}`}
	edit(t, s, func(c *clients.Secret) error { return c.Rotate("datasink", "second") })
	edit(t, s, func(c *clients.Secret) error { return c.Add("checkout", "third", []string{"orders"}) })
	edit(t, s, func(c *clients.Secret) error { return c.Rotate("checkout", "fourth") })
	store := clients.NewStore(s, "id")
	want := map[string][]clients.Created{
		"datasink": {{At: day(0), OrEarlier: true}, {At: day(1)}},
		"checkout": {{At: day(2)}, {At: day(3)}},
	}
	if diff := cmp.Diff(want, created(t, store)); diff != "" {
		t.Errorf("dates differ (-want +got):\n%s", diff)
	}

	s.old[0], s.old[1] = "", "" // Secrets Manager has deleted the oldest versions.
	want["datasink"] = []clients.Created{{At: day(2), OrEarlier: true}, {At: day(2), OrEarlier: true}}
	want["checkout"] = []clients.Created{{At: day(2), OrEarlier: true}, {At: day(3)}}
	if diff := cmp.Diff(want, created(t, store)); diff != "" {
		t.Errorf("without the oldest versions, dates differ (-want +got):\n%s", diff)
	}
}

func TestAPasswordThatComesBackIsNew(t *testing.T) {
	t.Parallel()
	s := &secret{content: `{"datasink":"first"}`}
	edit(t, s, func(c *clients.Secret) error { return c.Add("checkout", "a", nil) })
	edit(t, s, func(c *clients.Secret) error { return c.Revoke("checkout") })
	edit(t, s, func(c *clients.Secret) error { return c.Add("checkout", "a", nil) })
	want := []clients.Created{{At: day(3)}}
	if diff := cmp.Diff(want, created(t, clients.NewStore(s, "id"))["checkout"]); diff != "" {
		t.Errorf("dates differ (-want +got):\n%s", diff)
	}
}

func TestPasswordsInAFileAreAtLeastAsOldAsTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "clients.json")
	if err := clients.WriteFile(path, []byte(`{"datasink":"one"}`)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, day(7)); err != nil {
		t.Fatal(err)
	}
	got := created(t, clients.NewFileStore(path))["datasink"]
	if len(got) != 1 || !got[0].At.Equal(day(7)) || !got[0].OrEarlier {
		t.Errorf("dates are %+v, want the time of the file or earlier", got)
	}
}
