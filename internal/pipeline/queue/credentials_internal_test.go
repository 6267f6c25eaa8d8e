package queue

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// secretStore is a secret whose reads take a while.
type secretStore struct {
	password string
	err      error
	takes    time.Duration
	reads    []time.Duration // since the start
	start    time.Time
}

func (s *secretStore) read(ctx context.Context) ([]byte, error) {
	s.reads = append(s.reads, time.Since(s.start))
	select {
	case <-time.After(s.takes):
		return []byte(s.password), s.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestCredentialsAreReadOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		secret := &secretStore{password: "1", start: time.Now()}
		c := &credentials{read: secret.read}
		for range 5 {
			for range 3 {
				if _, password, err := c.get(t.Context()); password != "1" || err != nil {
					t.Errorf("get = %q, %v, want 1", password, err)
				}
			}
			time.Sleep(20 * time.Second)
		}
		if diff := cmp.Diff([]time.Duration{0, time.Minute}, secret.reads); diff != "" {
			t.Errorf("reads (-want +got):\n%s", diff)
		}
	})
}

func TestTheLastCredentialsAreUsedWhileTheSecretIsUnreachable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		secret := &secretStore{err: errors.New("unreachable"), start: time.Now()}
		c := &credentials{read: secret.read}
		if _, _, err := c.get(t.Context()); !errors.Is(err, secret.err) {
			t.Errorf("get without credentials = %v, want %v", err, secret.err)
		}
		time.Sleep(credentialsRetry)
		secret.password, secret.err = "1", nil
		if _, password, err := c.get(t.Context()); password != "1" || err != nil {
			t.Errorf("get = %q, %v, want 1", password, err)
		}
		secret.err = errors.New("unreachable")
		time.Sleep(time.Hour)
		if _, password, err := c.get(t.Context()); password != "1" || err != nil {
			t.Errorf("get after an hour = %q, %v, want 1", password, err)
		}
	})
}

// A push waits a quarter of a second, and a read may take longer. The next push then
// has the result.
func TestAReadOutlastsTheCommandThatStartedIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		secret := &secretStore{password: "1", takes: time.Second, start: time.Now()}
		c := &credentials{read: secret.read}
		ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
		defer cancel()
		if _, _, err := c.get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("get = %v, want the end of the context", err)
		}
		if _, password, err := c.get(t.Context()); password != "1" || err != nil {
			t.Errorf("second get = %q, %v, want 1", password, err)
		}
		if diff := cmp.Diff([]time.Duration{0}, secret.reads); diff != "" {
			t.Errorf("reads (-want +got):\n%s", diff)
		}
	})
}

func TestRefusedCredentialsAreReadAgainAtMostOnceASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		secret := &secretStore{password: "1", start: time.Now()}
		c := &credentials{read: secret.read}
		if c.renew(t.Context()) {
			t.Error("renew = true before the first read")
		}
		_, _, _ = c.get(t.Context())
		time.Sleep(10 * time.Second)
		for range 10 {
			if c.renew(t.Context()) {
				t.Error("renew = true with the same credentials")
			}
			time.Sleep(300 * time.Millisecond)
		}
		secret.password = "2"
		time.Sleep(time.Second)
		for range 2 { // the commands of two connections
			if !c.renew(t.Context()) {
				t.Error("renew = false with new credentials")
			}
		}
		want := []time.Duration{0, 10_000e6, 11_200e6, 12_400e6, 14_000e6}
		if diff := cmp.Diff(want, secret.reads); diff != "" {
			t.Errorf("reads (-want +got):\n%s", diff)
		}
	})
}

func TestParseCredentials(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ secret, username, password, problem string }{
		{"plain", "", "plain", ""},
		{`{"password":"p"}`, "", "p", ""},
		{`{"username":"u","password":"p"}`, "u", "p", ""},
		{`{"username":"u"}`, "", "", "no password"},
		{`{"password":7}`, "", "", "not a JSON object"},
	} {
		username, password, err := parseCredentials(tt.secret)
		if (err == nil) != (tt.problem == "") || (err != nil && !strings.Contains(err.Error(), tt.problem)) {
			t.Errorf("parseCredentials(%q) error = %v, want %q", tt.secret, err, tt.problem)
		}
		if username != tt.username || password != tt.password {
			t.Errorf("parseCredentials(%q) = %q, %q", tt.secret, username, password)
		}
	}
}
