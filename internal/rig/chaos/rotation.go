package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/backoff"
	"github.com/data-sink/data-sink/internal/pipeline/env"
)

// machines is the number of machines of the client that rotates. They send at the
// same moments, so that as many processes of ingest are busy.
const machines = 8

// RotationReport is the result of Rotation.
type RotationReport struct {
	// Requests is the number of requests with a live password. Accepted is the
	// number of those answered with 202.
	Requests, Accepted int
	// Unauthorized is the number of requests with a live password that were answered
	// with 401.
	Unauthorized int
	// Revoked is the time from the revocation of a password to the last request that
	// was accepted with it. RevokedRefused is the number of requests that were
	// refused with it.
	Revoked, MaxAge time.Duration
	RevokedRefused  int
	// Strangers is the number of requests with a wrong password that were refused
	// during the second rotation.
	Strangers int
	// Down is how long Secrets Manager is unreachable: in the first half it refuses
	// connections, in the second it does not answer. Refusing and Silent are the
	// latencies of the requests in the two halves, Beside that of the requests
	// beside strangers, and Usual that of all others.
	Down             time.Duration
	Usual, Beside    Latency
	Refusing, Silent Latency
	// Cold is the status of a request to a new process, which has no copy of the
	// secret, while Secrets Manager does not answer.
	Cold int
	// Verdict is the verdict on the archive.
	Verdict Verdict
}

// String returns the report as one line.
func (r RotationReport) String() string {
	return fmt.Sprintf("rotation: requests=%d accepted=%d unauthorized=%d lost=%d revoked accepted=%.2fs of %.0fs refused=%d strangers=%d usual: %v beside: %v down=%.0fs refusing: %v silent: %v cold=%d",
		r.Requests, r.Accepted, r.Unauthorized, r.Verdict.Lost, r.Revoked.Seconds(), r.MaxAge.Seconds(), r.RevokedRefused,
		r.Strangers, r.Usual, r.Beside, r.Down.Seconds(), r.Refusing, r.Silent, r.Cold)
}

// Err returns the broken promises; nil if there are none. Its time bounds follow
// from the order of events, so a slow machine does not break them.
func (r RotationReport) Err() error {
	var list []error
	if r.Accepted < r.Requests || r.Requests == 0 {
		list = append(list, fmt.Errorf("%d of %d requests with a live password were not accepted, %d of them with 401", r.Requests-r.Accepted, r.Requests, r.Unauthorized))
	}
	if r.Revoked >= r.MaxAge || r.RevokedRefused == 0 {
		list = append(list, fmt.Errorf("a revoked password was accepted for %v, want less than %v, and refused %d times", r.Revoked, r.MaxAge, r.RevokedRefused))
	}
	if r.Strangers == 0 {
		list = append(list, errors.New("no stranger was refused"))
	}
	return errors.Join(append(list, r.Verdict.Err())...)
}

// Rotation rotates a client's password under load, rotates it again beside requests
// with a wrong password, and makes Secrets Manager unreachable.
func Rotation(ctx context.Context, l Lab) (RotationReport, error) {
	r := rotation{rate: 80, maxAge: time.Minute, step: 10 * time.Second}
	if l.Hurry {
		r.rate, r.maxAge, r.step = 40, 2*time.Second, time.Second
	}
	r.report = RotationReport{MaxAge: r.maxAge, Down: 3 * r.maxAge}
	set := deployed()
	set.ingest = machines      // each has a copy of the secret before the outage
	set.schedule = time.Second // what happens after ingest does not matter here
	set.ingestEnv = []string{env.ClientsMaxAge + "=" + r.maxAge.String()}
	err := inLab(ctx, l, set, func(s *suite) error {
		r.suite = s
		return r.run(ctx)
	}, func() error { return r.report.Err() })
	return r.report, err
}

type rotation struct {
	*suite
	rate   int           // requests a second of all machines together
	maxAge time.Duration // of a process' copy of the clients' secret
	step   time.Duration // the least duration of a step of the rotation
	report RotationReport

	passwords [machines]atomic.Pointer[string] // of each machine
}

func (s *rotation) run(ctx context.Context) error {
	endTriggers := s.pullTriggers(ctx)
	defer endTriggers()
	s.live("first")
	s.giveAll("first")
	s.warm(machines, basic(clientName, "first"))
	s.note(s.whilePosting(ctx, s.rotate), &s.report.Usual)
	s.amongStrangers(ctx)
	s.log.printf("Secrets Manager is unreachable")
	s.links.secrets.set(cut)
	s.note(s.whilePosting(ctx, func(ctx context.Context) { backoff.Sleep(ctx, s.report.Down/2) }), &s.report.Refusing)
	s.links.secrets.set(unanswered)
	s.note(s.whilePosting(ctx, func(ctx context.Context) { backoff.Sleep(ctx, s.report.Down/2) }), &s.report.Silent)
	s.functions.ingest.Renew()
	s.report.Cold, _ = s.load.post(s.ledger.nextHealthy(), basic(clientName, "third"))
	s.links.secrets.set(whole)
	if err := s.drain(ctx); err != nil {
		return err
	}
	endTriggers()
	var err error
	s.report.Verdict, err = s.verdict()
	return err
}

// live sets the client's passwords.
func (s *rotation) live(passwords ...string) {
	s.aws.Secrets.Set(clientsSecret, fmt.Sprintf(`{%q:{"passwords":["%s"]}}`, clientName, strings.Join(passwords, `","`)))
}

// give makes a machine use a password.
func (s *rotation) give(machine int, password string) { s.passwords[machine].Store(&password) }

func (s *rotation) giveAll(password string) {
	for i := range machines {
		s.give(i, password)
	}
}

// whilePosting lets the machines post while do runs.
func (s *rotation) whilePosting(ctx context.Context, do func(context.Context)) []post {
	return s.whileSending(ctx, s.rate, func(at int) string { return *s.passwords[at].Load() }, do)
}

// whileTrying sends requests with a password to all processes while do runs.
func (s *rotation) whileTrying(ctx context.Context, password string, do func(context.Context)) []post {
	return s.whileSending(ctx, 4*machines, func(int) string { return password }, do)
}

func (s *rotation) whileSending(ctx context.Context, rate int, password func(at int) string, do func(context.Context)) []post {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var posts []post
	var wg sync.WaitGroup
	wg.Go(func() {
		posts = s.steady(ctx, rate, machines, func(at int) (record, string) {
			return s.ledger.nextHealthy(), basic(clientName, password(at))
		})
	})
	do(ctx)
	cancel()
	wg.Wait()
	return posts
}

// note counts posts with a live password.
func (s *rotation) note(posts []post, into *Latency) {
	var all []time.Duration
	for _, p := range posts {
		s.report.Requests++
		all = append(all, p.took)
		switch p.status {
		case http.StatusAccepted:
			s.report.Accepted++
		case http.StatusUnauthorized:
			s.report.Unauthorized++
		}
	}
	*into = newLatency(all)
}

// rotate adds a password, lets one machine after the other use it, and revokes the
// old one, which is still tried.
func (s *rotation) rotate(ctx context.Context) {
	backoff.Sleep(ctx, s.step)
	s.live("first", "second")
	s.log.printf("added a second password")
	for i := range machines {
		s.give(i, "second")
		backoff.Sleep(ctx, s.step/machines)
	}
	var revoked time.Time
	tries := s.whileTrying(ctx, "first", func(ctx context.Context) {
		backoff.Sleep(ctx, s.step/2)
		s.live("second")
		revoked = time.Now()
		s.log.printf("revoked the first password")
		backoff.Sleep(ctx, s.maxAge+s.step)
	})
	for _, p := range tries {
		switch p.status {
		case http.StatusAccepted:
			s.report.Revoked = max(s.report.Revoked, p.due.Sub(revoked))
		case http.StatusUnauthorized:
			s.report.RevokedRefused++
		}
	}
}

// amongStrangers rotates a password as the command does, which waits until every
// copy of the secret has the new password. Meanwhile requests with a wrong password
// use up the refreshes that an unknown new password would need.
func (s *rotation) amongStrangers(ctx context.Context) {
	tries := s.whileTrying(ctx, "wrong", func(ctx context.Context) {
		s.note(s.whilePosting(ctx, func(ctx context.Context) {
			backoff.Sleep(ctx, s.step)
			s.live("second", "third")
			s.log.printf("added a third password, beside strangers")
			backoff.Sleep(ctx, s.maxAge)
			s.giveAll("third")
			backoff.Sleep(ctx, s.step)
		}), &s.report.Beside)
	})
	s.live("third")
	for _, p := range tries {
		if p.status == http.StatusUnauthorized {
			s.report.Strangers++
		}
	}
}
