package clients_test

import (
	"testing"

	"github.com/data-sink/data-sink/internal/operate/clients"
	"github.com/google/go-cmp/cmp"
)

// FuzzParse holds that an edit of one client leaves all others as they were.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"datasink":"old","b":{"passwords":["x","y"],"streams":["s-*"]}}`))
	f.Add([]byte("{\"\u00fc\":\"<&>\\u2028\"}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		before, err := clients.Parse(content)
		if err != nil {
			return
		}
		const name = "one that did not exist before"
		if before.Add(name, clients.Hash("password"), nil) != nil {
			return
		}
		encoded, err := before.Encode()
		if err != nil {
			return
		}
		after, err := clients.Parse(encoded)
		if err != nil {
			t.Fatalf("%q became %q: %v", content, encoded, err)
		}
		if diff := cmp.Diff(before.Clients(), after.Clients()); diff != "" {
			t.Errorf("clients differ (-before +after):\n%s", diff)
		}
	})
}
