package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

const (
	// embeddedPush bounds a push to the embedded Redis. It is long, because a slow
	// answer means a busy machine and never a lost server.
	embeddedPush = 30 * time.Second
	// externalPush bounds a push to an external Redis.
	externalPush = 2 * time.Second
	// pingTimeout bounds the check at the start.
	pingTimeout = 3 * time.Second
)

func pushTimeout(o Options) time.Duration {
	if o.RedisURL == "" {
		return embeddedPush
	}
	return externalPush
}

// openQueue opens the queue in the Redis of Options.RedisURL or, if that is empty,
// in an embedded Redis, which keeps records in memory.
func (p *Pipeline) openQueue(ctx context.Context) error {
	o := queue.Options{Deployment: p.o.Deployment, PushTimeout: pushTimeout(p.o), WakeInterval: p.o.WakeInterval}
	var err error
	if p.o.RedisURL != "" {
		o.URL, o.Username, o.Password, err = splitURL(p.o.RedisURL)
	} else {
		o.URL, o.Password, err = p.startRedis()
	}
	if err != nil {
		return err
	}
	if p.queue, err = queue.Open(o); err != nil {
		return err
	}
	p.atEnd(p.queue.Close)
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := p.queue.Ping(ctx); err != nil {
		return fmt.Errorf("the Redis at %s does not answer: %w", o.URL, err)
	}
	return nil
}

func (p *Pipeline) startRedis() (address, password string, err error) {
	embedded := miniredis.NewMiniRedis()
	// Keys such as the wake-up key expire by the clock.
	embedded.ClockTTL(true)
	password = rand.Text()
	embedded.RequireAuth(password)
	if err := embedded.StartAddr("127.0.0.1:0"); err != nil {
		return "", "", fmt.Errorf("starting the embedded Redis: %w", err)
	}
	p.atEnd(func() error { embedded.Close(); return nil })
	return "redis://" + embedded.Addr(), password, nil
}

// splitURL removes the credentials from a URL. Its error does not contain them.
func splitURL(raw string) (plain, username, password string, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", "", "", errors.New("the Redis URL does not parse")
	}
	if u.User != nil {
		username = u.User.Username()
		password, _ = u.User.Password()
		u.User = nil
	}
	return u.String(), username, password, nil
}
