package basicauth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// RetryInterval is the minimum time between two fetches caused by failed checks,
	// and between a failed fetch and the next fetch caused by age.
	RetryInterval = 3 * time.Second
	// fetchTimeout bounds one fetch, so that an unresponsive secret store does not
	// use up the time of a request. refetchTimeout bounds a fetch while a usable
	// copy exists.
	fetchTimeout   = 3 * time.Second
	refetchTimeout = time.Second
)

// Cache holds a copy of the clients' secret with bounded staleness:
//
//   - A copy that has reached maxAge is refreshed before the check.
//   - A failed check with a well-formed header also refreshes the copy, at most
//     once per RetryInterval, and is repeated. So a new password works at once.
//   - If a refresh fails, or if the new secret does not parse, the last good copy
//     is used until it is maxStale old. Known clients are let in. Unknown clients
//     get an error instead of a refusal, because their password may be newer than
//     the copy. After maxStale, every check returns an error.
//
// So a revoked password is refused after maxAge, or after maxStale while the
// secret cannot be read. Ages are differences of the wall clock, because the
// monotonic clock of a frozen environment can stop.
//
// Set the exported fields before the first use. A Cache is safe for concurrent
// use. One fetch runs at a time, and checks that need its result wait for it.
type Cache struct {
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// OnFailure, if set, is called once for each failed fetch.
	OnFailure func(ctx context.Context, err error)

	fetch            func(context.Context) ([]byte, error)
	maxAge, maxStale time.Duration
	// fetching holds a token while a fetch runs.
	fetching chan struct{}

	mu sync.Mutex // guards the fields below
	// copy is the last good copy, nil before the first fetch.
	copy *Credentials
	// fetchedAt is the time at which the fetch of copy began.
	fetchedAt time.Time
	// failedAt is the time at which the last fetch failed, zero if it succeeded.
	failedAt time.Time
	failure  error
	// forcedAt is the time at which a failed check last caused a fetch.
	forcedAt time.Time
}

// NewCache returns an empty Cache. fetch reads the secret.
func NewCache(fetch func(context.Context) ([]byte, error), maxAge, maxStale time.Duration) *Cache {
	return &Cache{
		Now: time.Now, fetch: fetch, maxAge: maxAge, maxStale: max(maxAge, maxStale),
		fetching: make(chan struct{}, 1),
	}
}

// Check calls Credentials.Check on a copy that is fresh enough. It returns an
// error if there is no such copy, so that the credentials cannot be judged.
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

// Ready returns nil if Check has a usable copy. It fetches one if necessary.
func (c *Cache) Ready(ctx context.Context) error {
	_, err := c.usable(ctx)
	return err
}

// usable returns a copy that is younger than maxAge. If the secret cannot be
// fetched, it returns a copy that is younger than maxStale.
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

// refresh waits for a running fetch and then fetches the secret if due reports
// true. due is called with c.mu held.
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
		return // The caller canceled, which says nothing about the secret.
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

// now returns the wall clock time without its monotonic part.
func (c *Cache) now() time.Time { return c.Now().Round(0) }

// recent reports whether at is less than RetryInterval ago. A time in the future
// is not recent, because the clock was set back.
func recent(now, at time.Time) bool {
	since := now.Sub(at)
	return !at.IsZero() && since >= 0 && since < RetryInterval
}
