package queue

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// credentialsAge is the time after which credentials are read again for the
	// next new connection.
	credentialsAge = time.Minute
	// credentialsRetry is the shortest time between two reads.
	credentialsRetry = time.Second
	// credentialsTimeout limits one read. The read goes on when the command that
	// needs the credentials has timed out, for the next one.
	credentialsTimeout = 3 * time.Second
)

// credentials caches the user name and the password for new connections. It is safe
// for concurrent use.
type credentials struct {
	read func(ctx context.Context) ([]byte, error)

	mu      sync.Mutex
	current *login
	changed time.Time     // when a read last returned others
	began   time.Time     // begin of the last read
	reading chan struct{} // closed at the end of the current read; nil if there is none
	err     error         // of the last read
}

// login is a user name and a password with the time until which they are used
// without another read.
type login struct {
	username, password string
	until              time.Time
}

// get returns the credentials for a new connection. When they cannot be read, it
// returns the last ones that were.
func (c *credentials) get(ctx context.Context) (username, password string, err error) {
	c.mu.Lock()
	if c.current != nil && time.Now().Before(c.current.until) {
		defer c.mu.Unlock()
		return c.current.username, c.current.password, nil
	}
	done := c.start(ctx)
	c.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil {
		return c.current.username, c.current.password, nil
	}
	return "", "", errors.Join(ctx.Err(), c.err)
}

// start starts a read unless one is in progress, or the last one failed less than
// credentialsRetry ago. The caller holds mu. The channel is closed at the end of
// the read.
func (c *credentials) start(ctx context.Context) <-chan struct{} {
	if c.reading != nil {
		return c.reading
	}
	done := make(chan struct{})
	if time.Since(c.began) < credentialsRetry {
		close(done)
		return done
	}
	c.reading, c.began = done, time.Now()
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), credentialsTimeout)
		defer cancel()
		var username, password string
		secret, err := c.read(ctx)
		if err == nil {
			username, password, err = parseCredentials(string(secret))
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.err = err; err == nil {
			if c.current == nil || c.current.username != username || c.current.password != password {
				c.changed = time.Now()
			}
			c.current = &login{username, password, time.Now().Add(credentialsAge)}
		}
		c.reading = nil
		close(done)
	}()
	return done
}

// renew reads the credentials again after Redis has refused them, and reports
// whether there are others now. Another command may have renewed them already.
func (c *credentials) renew(ctx context.Context) bool {
	c.mu.Lock()
	if c.current == nil {
		c.mu.Unlock()
		return false
	}
	renewed := time.Since(c.changed) < credentialsRetry
	if !renewed {
		c.current.until = time.Time{}
	}
	c.mu.Unlock()
	if renewed {
		return true
	}
	began := time.Now()
	_, _, err := c.get(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	return err == nil && !c.changed.Before(began)
}

// DialHook, ProcessHook and ProcessPipelineHook make credentials a redis.Hook,
// which runs a command once more when Redis has refused old credentials for its new
// connection.
func (c *credentials) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook is part of redis.Hook.
func (c *credentials) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if isRefusedLogin(err) && c.renew(ctx) {
			return next(ctx, cmd)
		}
		return err
	}
}

// ProcessPipelineHook is part of redis.Hook.
func (c *credentials) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		if isRefusedLogin(err) && c.renew(ctx) {
			return next(ctx, cmds)
		}
		return err
	}
}

// isRefusedLogin reports whether Redis refused the credentials of a connection, or
// its lack of them. No command was run then.
func isRefusedLogin(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "WRONGPASS ") || strings.Contains(text, "NOAUTH ") || strings.Contains(text, "invalid password")
}

// parseCredentials parses a secret: a plain password, or a JSON object with
// password and, if Redis needs one, username.
func parseCredentials(secret string) (username, password string, err error) {
	if !strings.HasPrefix(strings.TrimSpace(secret), "{") {
		return "", secret, nil
	}
	var credentials struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	// The decoder's error would repeat parts of the secret.
	if json.Unmarshal([]byte(secret), &credentials) != nil {
		return "", "", errors.New("the Redis secret is not a JSON object of strings")
	}
	if credentials.Password == "" {
		return "", "", errors.New("the Redis secret has no password")
	}
	return credentials.Username, credentials.Password, nil
}
