package basicauth_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
)

const (
	maxAge   = time.Minute
	maxStale = time.Hour
)

// store is a secret that tests change, and the clock of a Cache.
type store struct {
	secret   string
	err      error
	fetches  int
	failures []error
	now      time.Time
}

func newCache(s *store) *basicauth.Cache {
	c := basicauth.NewCache(func(context.Context) ([]byte, error) {
		s.fetches++
		return []byte(s.secret), s.err
	}, maxAge, maxStale)
	s.now = time.Now()
	c.Now = func() time.Time { return s.now }
	c.OnFailure = func(_ context.Context, err error) { s.failures = append(s.failures, err) }
	return c
}

// check compares the answer of one Check and the number of its fetches with what
// is wanted.
func (s *store) check(t *testing.T, c *basicauth.Cache, what, password string, want bool, fetches int) {
	t.Helper()
	before := s.fetches
	_, ok, err := c.Check(t.Context(), header("a", password))
	if err != nil || ok != want {
		t.Errorf("%s: Check = %v, %v, want %v", what, ok, err, want)
	}
	if got := s.fetches - before; got != fetches {
		t.Errorf("%s: %d fetches, want %d", what, got, fetches)
	}
}

func TestACopyPastItsAgeIsRefreshedBeforeTheCheck(t *testing.T) {
	t.Parallel()
	s := &store{secret: `{"a":"old"}`}
	c := newCache(s)
	s.check(t, c, "first", "old", true, 1)
	s.now = s.now.Add(maxAge - 1)
	s.check(t, c, "a moment before maxAge", "old", true, 0)
	s.secret = `{"a":"new"}`
	s.check(t, c, "revoked, within the bound", "old", true, 0)
	s.now = s.now.Add(1)
	s.check(t, c, "revoked, at the bound", "old", false, 2) // the failed check looks again, once
	s.check(t, c, "the new one", "new", true, 0)
}

func TestARotatedPasswordWorksAtOnce(t *testing.T) {
	t.Parallel()
	s := &store{secret: `{"a":"old"}`}
	c := newCache(s)
	s.check(t, c, "first", "old", true, 1)
	s.secret = `{"a":{"passwords":["old","new"]}}`
	s.check(t, c, "rotated", "new", true, 1)
	s.check(t, c, "the old one lives", "old", true, 0)
	s.check(t, c, "wrong, just refreshed", "wrong", false, 0)
	s.secret = `{"a":{"passwords":["old","new","newer"]}}`
	s.check(t, c, "rotated again within the interval", "newer", false, 0)
	s.now = s.now.Add(basicauth.RetryInterval)
	s.check(t, c, "after the interval", "newer", true, 1)
}

// A new password is not refused once maxAge has passed, independent of when the
// copy was fetched, of failed checks of others, and of failing fetches.
func TestANewPasswordIsNotRefusedAfterMaxAge(t *testing.T) {
	t.Parallel()
	for copied := time.Duration(0); copied < maxAge; copied += 500 * time.Millisecond {
		for _, away := range []bool{false, true} {
			s := &store{secret: `{"a":"old"}`}
			c := newCache(s)
			s.check(t, c, "first", "old", true, 1)
			s.now = s.now.Add(copied)
			s.secret = `{"a":{"passwords":["old","new"]}}`
			if away {
				s.err = errors.New("away")
			}
			for added := s.now; s.now.Sub(added) < maxAge; s.now = s.now.Add(500 * time.Millisecond) {
				_, _, _ = c.Check(t.Context(), header("a", "wrong")) // It uses up the fetches that failed checks cause.
			}
			if _, ok, err := c.Check(t.Context(), header("a", "new")); ok == away || (err != nil) != away {
				t.Errorf("copied %v before, away %v: Check = %v, %v", copied, away, ok, err)
			}
		}
	}
}

func TestWhatIsNoCredentialCausesNoFetch(t *testing.T) {
	t.Parallel()
	s := &store{secret: `{"a":"p"}`}
	c := newCache(s)
	for range 3 {
		s.now = s.now.Add(basicauth.RetryInterval)
		if _, ok, err := c.Check(t.Context(), "Bearer x"); ok || err != nil {
			t.Errorf("Check of no credential = %v, %v", ok, err)
		}
	}
	if s.fetches != 1 {
		t.Errorf("%d fetches, want the first alone", s.fetches)
	}
}

func TestTheLastGoodCopyServesUpToMaxStale(t *testing.T) {
	t.Parallel()
	for name, breakIt := range map[string]func(*store){
		"the store does not answer": func(s *store) { s.err = errors.New("away") },
		"the secret is malformed":   func(s *store) { s.secret = `{"a":` },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &store{secret: `{"a":"p"}`}
			c := newCache(s)
			s.check(t, c, "first", "p", true, 1)
			breakIt(s)
			s.now = s.now.Add(maxAge)
			s.check(t, c, "stale", "p", true, 1)
			s.check(t, c, "stale, just tried", "p", true, 0)
			if _, ok, err := c.Check(t.Context(), header("a", "newer than the copy?")); ok || err == nil {
				t.Errorf("stale, not known: Check = %v, %v, want an error: the password may be new", ok, err)
			}
			if _, ok, err := c.Check(t.Context(), "Bearer x"); ok || err != nil {
				t.Errorf("stale, no credentials: Check = %v, %v, want false", ok, err)
			}
			s.now = s.now.Add(basicauth.RetryInterval)
			s.check(t, c, "stale, tried again", "p", true, 1)
			if len(s.failures) != s.fetches-1 {
				t.Errorf("%d failures reported, want each of %d once: %v", len(s.failures), s.fetches-1, s.failures)
			}
			s.now = s.now.Add(maxStale - maxAge - basicauth.RetryInterval)
			s.check(t, c, "at maxStale", "p", true, 1)
			s.now = s.now.Add(1)
			if _, ok, err := c.Check(t.Context(), header("a", "p")); ok || err == nil {
				t.Errorf("past maxStale: Check = %v, %v, want an error", ok, err)
			}
			if err := c.Ready(t.Context()); err == nil {
				t.Error("past maxStale: Ready = nil")
			}
			s.secret, s.err = `{"a":"p"}`, nil
			s.now = s.now.Add(basicauth.RetryInterval)
			s.check(t, c, "healed", "p", true, 1)
			if err := c.Ready(t.Context()); err != nil {
				t.Errorf("healed: Ready = %v", err)
			}
		})
	}
}

func TestWithoutAFirstCopyThereIsNoAnswer(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	s := &store{err: away}
	c := newCache(s)
	for range 3 {
		if _, ok, err := c.Check(t.Context(), header("a", "p")); ok || !errors.Is(err, away) {
			t.Errorf("Check = %v, %v, want the fetch's error", ok, err)
		}
	}
	if s.fetches != 1 || len(s.failures) != 1 {
		t.Errorf("%d fetches, %d failures reported, want 1 within the interval", s.fetches, len(s.failures))
	}
	s.secret, s.err = `{"a":"p"}`, nil
	s.now = s.now.Add(basicauth.RetryInterval)
	s.check(t, c, "healed", "p", true, 1)
}

func TestAClockThatJumps(t *testing.T) {
	t.Parallel()
	s := &store{secret: `{"a":"p"}`}
	c := newCache(s)
	s.check(t, c, "first", "p", true, 1)
	s.now = s.now.Add(8 * time.Hour)
	s.check(t, c, "thawed after hours", "p", true, 1)
	s.now = s.now.Add(-time.Hour)
	s.check(t, c, "set back", "p", true, 1)
	s.check(t, c, "settled", "p", true, 0)
	s.err = errors.New("away")
	s.now = s.now.Add(-time.Hour)
	s.check(t, c, "set back, store away", "p", true, 1)
	s.now = s.now.Add(-time.Hour)
	s.check(t, c, "set back again", "p", true, 1)
}

func TestACallerThatGivesUpIsNoFailure(t *testing.T) {
	t.Parallel()
	s := &store{err: context.Canceled}
	c := newCache(s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := c.Check(ctx, header("a", "p")); !errors.Is(err, context.Canceled) {
		t.Errorf("Check = %v, want context.Canceled", err)
	}
	if len(s.failures) != 0 {
		t.Errorf("reported: %v", s.failures)
	}
	s.secret, s.err = `{"a":"p"}`, nil
	if err := c.Ready(t.Context()); err != nil {
		t.Errorf("Ready right after = %v, want a fetch of its own", err)
	}
}

func TestConcurrentChecksShareAFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var fetches atomic.Int32
		secret := `{"a":"old"}`
		c := basicauth.NewCache(func(context.Context) ([]byte, error) {
			fetches.Add(1)
			time.Sleep(time.Second)
			return []byte(secret), nil
		}, maxAge, maxStale)
		all := func(what, password string, want bool, fetched int32) {
			fetches.Store(0)
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if _, ok, err := c.Check(t.Context(), header("a", password)); ok != want || err != nil {
						t.Errorf("%s: Check = %v, %v, want %v", what, ok, err, want)
					}
				})
			}
			wg.Wait()
			if got := fetches.Load(); got != fetched {
				t.Errorf("%s: %d fetches, want %d", what, got, fetched)
			}
		}
		all("no copy", "old", true, 1)
		secret = `{"a":"new"}`
		all("rotated under load", "new", true, 1)
		time.Sleep(maxAge)
		all("past the age", "new", true, 1)
	})
}

func TestAStoreThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := false
		c := basicauth.NewCache(func(ctx context.Context) ([]byte, error) {
			if hang {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return []byte(`{"a":"p"}`), nil
		}, maxAge, maxStale)
		if err := c.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		hang = true
		time.Sleep(maxAge)
		start := time.Now()
		if _, ok, err := c.Check(t.Context(), header("a", "p")); !ok || err != nil {
			t.Errorf("Check = %v, %v, want the stale copy to serve", ok, err)
		}
		if waited := time.Since(start); waited > time.Second {
			t.Errorf("Check waited %v", waited)
		}
	})
}
