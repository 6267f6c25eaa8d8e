package main_test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// freeAddress returns an address of this machine that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// The recipe for the CI of an application works as it is written.
func TestTheRecipeForCI(t *testing.T) {
	t.Parallel()
	script, err := filepath.Abs("ci.sh")
	if err != nil {
		t.Fatal(err)
	}
	streams, err := filepath.Abs("../../../streams.json")
	if err != nil {
		t.Fatal(err)
	}
	c := command(t)
	c.Path, c.Args = script, []string{script}
	c.Env = append(c.Env, "PATH="+filepath.Dir(binary)+":/usr/bin:/bin", "API="+freeAddress(t), "S3="+freeAddress(t), "STREAMS="+streams)
	r := finish(t, c)
	if out := r.done(t); !strings.Contains(out, `{"id":"`) || !strings.HasSuffix(out, `{"order":1}`+"\n") {
		t.Errorf("the recipe printed:\n%s%s", out, r.err)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	finish(t, command(t, "health", "--url="+d.url)).done(t)
	d.operate(t, "", "health").done(t)
	for address, code := range map[string]int{"http://" + freeAddress(t): 1, d.url + "/other": 1, "127.0.0.1": 2} {
		if r := finish(t, command(t, "health", "--url="+address)); r.code != code || r.err == "" {
			t.Errorf("health of %s: exit code %d, want %d: %s", address, r.code, code, r.err)
		}
	}
}
