package gateway

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// waitQuietly is how long a request waits for admission before slow uploads
	// are ended for it, and the pause between two checks.
	waitQuietly = 500 * time.Millisecond
	// slowAfter is the age from which an upload can count as slow. A client on a
	// machine without free CPU can need seconds for its first byte.
	slowAfter = 10 * time.Second
	// slowRate is the average rate, in bytes a second, below which an upload is
	// slow.
	slowRate = 64 << 10
)

// admit waits until the body fits into memory. While a request waits, slow
// uploads are ended, so that a few clients that send slowly cannot hold up all
// others. After Close it returns an error.
func (g *Gateway) admit(r *http.Request) (release func(), err error) {
	if err := g.closing.Err(); err != nil {
		return nil, err
	}
	size := r.ContentLength
	if size < 0 {
		size = unknownLength
	}
	size = min(max(size, leastAdmitted), admitBytes)
	if !g.admitted.TryAcquire(size) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(g.closing, cancel)()
		waited := make(chan struct{})
		defer close(waited)
		go g.uploads.endSlow(waited)
		if err := g.admitted.Acquire(ctx, size); err != nil {
			return nil, err
		}
	}
	return func() { g.admitted.Release(size) }, nil
}

// uploads are the bodies that are being read. The zero value is ready.
type uploads struct {
	mu     sync.Mutex
	active map[*upload]struct{}
}

// upload is a body that is being read.
type upload struct {
	io.Reader
	control *http.ResponseController
	began   time.Time
	read    atomic.Int64
}

// Read reads from the body and counts the bytes.
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	u.read.Add(int64(n))
	return n, err
}

func (u *upload) isSlow(now time.Time) bool {
	age := now.Sub(u.began)
	return age >= slowAfter && float64(u.read.Load()) < age.Seconds()*slowRate
}

// start registers a body. done must be called when the body has been read.
func (u *uploads) start(body io.Reader, control *http.ResponseController) (counted io.Reader, done func()) {
	one := &upload{Reader: body, control: control, began: time.Now()}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.active == nil {
		u.active = make(map[*upload]struct{})
	}
	u.active[one] = struct{}{}
	return one, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.active, one)
	}
}

// endSlow ends slow uploads with a read deadline in the past, until done is
// closed.
func (u *uploads) endSlow(done <-chan struct{}) {
	ticker := time.NewTicker(waitQuietly)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-ticker.C:
			u.mu.Lock()
			for one := range u.active {
				if one.isSlow(now) {
					_ = one.control.SetReadDeadline(one.began) // Writers of tests do not support deadlines.
				}
			}
			u.mu.Unlock()
		}
	}
}
