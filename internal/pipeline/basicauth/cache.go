package basicauth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// RetryInterval is the least time between two fetches that failed checks
	// cause, and between a fetch that failed and the next that age causes.
	RetryInterval = 3 * time.Second
	// fetchTimeout bounds one fetch, so that a secret store that hangs does not
	// use up the time of a request; refetchTimeout one that a request could do
	// without, for there is a copy.
	fetchTimeout   = 3 * time.Second
	refetchTimeout = time.Second
)

// Cache holds a copy of the clients' secret with bounded staleness:
//
//   - A copy that has reached its maximal age is fetched anew before the check.
//   - A failed check with a well-formed header fetches it anew too, at most once
//     per RetryInterval, and is repeated: a password added a moment ago works.
//   - When a fetch fails, a secret that does not parse included, the last good
//     copy serves until it is maxStale old: it lets in whom it knows. Of whom it
//     does not know there is no answer, for the password may be newer than the
//     copy, and after maxStale of nobody.
//
// So a revoked password is refused once maxAge has passed, or maxStale while the
// secret cannot be read. Ages are differences of the wall clock: a frozen
// environment refreshes nothing, and its monotonic clock may stand still.
//
// Set the exported fields before the first use. A Cache is safe for concurrent
// use; one fetch runs at a time, and who needs its outcome waits for it.
type Cache struct {
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// OnFailure, if set, hears of each fetch that failed, once.
	OnFailure func(ctx context.Context, err error)

	fetch            func(context.Context) ([]byte, error)
	maxAge, maxStale time.Duration
	// fetching holds a token while a fetch runs.
	fetching chan struct{}

	mu sync.Mutex // guards what follows
	// copy is the last good one, nil before the first.
	copy *Credentials
	// fetchedAt is when the fetch of copy began.
	fetchedAt time.Time
	// failedAt is when the last fetch failed, zero if it did not.
	failedAt time.Time
	failure  error
	// forcedAt is when a failed check last caused a fetch.
	forcedAt time.Time
}

// NewCache returns a Cache without a copy; fetch reads the secret.
func NewCache(fetch func(context.Context) ([]byte, error), maxAge, maxStale time.Duration) *Cache {
	return &Cache{
		Now: time.Now, fetch: fetch, maxAge: maxAge, maxStale: max(maxAge, maxStale),
		fetching: make(chan struct{}, 1),
	}
}

// Check is Credentials.Check on a copy that is fresh enough. It returns an error
// when there is none, and so no telling whether the credentials are good.
func (c *Cache) Check(ctx context.Context, authorization string) (Client, bool, error) {
	held, err := c.usable(ctx)
	if err != nil {
		return Client{}, false, err
	}
	client, ok := held.Check(authorization)
	if ok {
		return client, true, nil
	}
	if _, _, wellFormed := ParseHeader(authorization); !wellFormed {
		return client, false, nil
	}
	c.refresh(ctx, func(now time.Time) bool {
		if c.copy != held || recent(now, c.forcedAt) {
			return false
		}
		c.forcedAt = now
		return true
	})
	if newer, err := c.usable(ctx); err == nil && newer != held {
		client, ok = newer.Check(authorization)
	}
	if _, age := c.held(); !ok && (age < 0 || age >= c.maxAge) {
		return Client{}, false, c.unusable(ctx)
	}
	return client, ok, nil
}

// Ready returns nil when Check has a usable copy, fetching one if need be.
func (c *Cache) Ready(ctx context.Context) error {
	_, err := c.usable(ctx)
	return err
}

// usable returns a copy that is younger than maxAge, or younger than maxStale
// when no newer one can be had.
func (c *Cache) usable(ctx context.Context) (*Credentials, error) {
	if held, age := c.held(); held != nil && 0 <= age && age < c.maxAge {
		return held, nil
	}
	c.refresh(ctx, func(now time.Time) bool {
		age := now.Sub(c.fetchedAt)
		tooOld := c.copy == nil || age < 0 || age >= c.maxAge
		return tooOld && !recent(now, c.failedAt)
	})
	held, age := c.held()
	if held == nil || age > c.maxStale {
		return nil, c.unusable(ctx)
	}
	return held, nil
}

func (c *Cache) held() (*Credentials, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.copy, c.now().Sub(c.fetchedAt)
}

func (c *Cache) unusable(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.failure != nil:
		return fmt.Errorf("no usable copy of the clients' secret: %w", c.failure)
	case ctx.Err() != nil:
		return fmt.Errorf("waiting for the clients' secret: %w", ctx.Err())
	default:
		return errors.New("no usable copy of the clients' secret")
	}
}

// refresh fetches the secret if that is due, after any fetch that is under way.
// due is called with c.mu held.
func (c *Cache) refresh(ctx context.Context, due func(now time.Time) bool) {
	select {
	case c.fetching <- struct{}{}:
		defer func() { <-c.fetching }()
	case <-ctx.Done():
		return
	}
	c.mu.Lock()
	start := c.now()
	fetch := due(start)
	c.mu.Unlock()
	if !fetch {
		return
	}
	fetched, err := c.fetchOnce(ctx)
	if err != nil && ctx.Err() != nil {
		return // The caller gave up; that says nothing about the secret.
	}
	c.mu.Lock()
	c.failure = err
	if err != nil {
		c.failedAt = c.now()
	} else {
		c.copy, c.fetchedAt, c.failedAt = fetched, start, time.Time{}
	}
	c.mu.Unlock()
	if err != nil && c.OnFailure != nil {
		c.OnFailure(ctx, err)
	}
}

func (c *Cache) fetchOnce(ctx context.Context) (*Credentials, error) {
	timeout := fetchTimeout
	if held, age := c.held(); held != nil && age <= c.maxStale {
		timeout = refetchTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	secret, err := c.fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("fetching the clients' secret: %w", err)
	}
	credentials, err := Parse(secret)
	if err != nil {
		return nil, fmt.Errorf("parsing the clients' secret: %w", err)
	}
	return credentials, nil
}

// now is the wall clock alone.
func (c *Cache) now() time.Time { return c.Now().Round(0) }

// recent reports whether at is less than RetryInterval ago; a time that lies
// ahead is not, for the clock was set back.
func recent(now, at time.Time) bool {
	since := now.Sub(at)
	return !at.IsZero() && since >= 0 && since < RetryInterval
}
