package chaos

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/backoff"
	"github.com/data-sink/data-sink/internal/pipeline/env"
)

// machines is the number of machines of the client that rotates. They send at the
// same moments, so that as many processes of ingest are busy.
const machines = 8

// Rotation rotates a client's password under load, rotates it again beside requests
// with a wrong password, and makes Secrets Manager unreachable for three times the
// maximum age of a copy of the secret. No request with a live password may be refused,
// and a revoked password must be refused after the maximum age.
func Rotation(ctx context.Context, l Lab) (Report, error) {
	r := rotation{rate: 80, maxAge: time.Minute, step: 10 * time.Second}
	if l.Hurry {
		r.rate, r.maxAge, r.step = 40, 2*time.Second, time.Second
	}
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
	report Report

	passwords [machines]atomic.Pointer[string] // of each machine
	// requests is the number of requests with a live password.
	requests, accepted, unauthorized int
}

func (s *rotation) run(ctx context.Context) error {
	endTriggers := s.pullTriggers(ctx)
	defer endTriggers()
	s.live("first")
	s.giveAll("first")
	s.warm(machines, basic(clientName, "first"))
	usual := s.whilePosting(ctx, s.rotate)
	beside := s.besideStrangers(ctx)
	outage := func(c condition) latency {
		s.links.secrets.set(c)
		return s.whilePosting(ctx, func(ctx context.Context) { backoff.Sleep(ctx, s.maxAge*3/2) })
	}
	s.log.printf("Secrets Manager is unreachable")
	refusing, silent := outage(cut), outage(unanswered)
	// A new process has no copy of the secret.
	s.functions.ingest.Renew()
	cold, _ := s.load.post(s.ledger.nextHealthy(), basic(clientName, "third"))
	s.links.secrets.set(whole)
	v, err := s.settle(ctx, endTriggers)
	if err != nil {
		return err
	}
	s.report.printf("rotation: requests=%d accepted=%d unauthorized=%d lost=%d usual: %v beside: %v down=%.0fs refusing: %v silent: %v cold=%d",
		s.requests, s.accepted, s.unauthorized, v.Lost, usual, beside, (3 * s.maxAge).Seconds(), refusing, silent, cold)
	s.report.want(s.requests > 0 && s.accepted == s.requests && v.Acked >= s.accepted,
		"%d of %d requests with a live password were accepted, and %d got 401; %d records were acknowledged", s.accepted, s.requests, s.unauthorized, v.Acked)
	s.report.want(cold == http.StatusServiceUnavailable, "a new process without the secret answered %d, want 503", cold)
	s.report.wantVerdict(v)
	return nil
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

// whilePosting lets the machines post with their live passwords while do runs.
func (s *rotation) whilePosting(ctx context.Context, do func(context.Context)) latency {
	posts := s.whileSending(ctx, s.rate, machines, func(at int) string { return basic(clientName, *s.passwords[at].Load()) }, do)
	var took []time.Duration
	for _, p := range posts {
		took = append(took, p.took)
	}
	s.requests += len(posts)
	s.accepted += count(posts, http.StatusAccepted)
	s.unauthorized += count(posts, http.StatusUnauthorized)
	return newLatency(took)
}

// whileTrying sends requests with a password to all processes while do runs.
func (s *rotation) whileTrying(ctx context.Context, password string, do func(context.Context)) []post {
	return s.whileSending(ctx, 4*machines, machines, func(int) string { return basic(clientName, password) }, do)
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
	var last time.Duration // after the revocation
	for _, p := range tries {
		if p.status == http.StatusAccepted {
			last = max(last, p.due.Sub(revoked))
		}
	}
	refused := count(tries, http.StatusUnauthorized)
	s.report.printf("rotation: a revoked password was accepted for %.2f of %.0f s, and refused %d times", last.Seconds(), s.maxAge.Seconds(), refused)
	s.report.want(last < s.maxAge && refused > 0, "a revoked password was accepted for %v, want less than %v, and refused %d times", last, s.maxAge, refused)
}

// besideStrangers rotates a password as the command does, which waits until every
// copy of the secret has the new password. Meanwhile requests with a wrong password
// use up the refreshes that an unknown new password would need.
func (s *rotation) besideStrangers(ctx context.Context) (beside latency) {
	tries := s.whileTrying(ctx, "wrong", func(ctx context.Context) {
		beside = s.whilePosting(ctx, func(ctx context.Context) {
			backoff.Sleep(ctx, s.step)
			s.live("second", "third")
			s.log.printf("added a third password, beside strangers")
			backoff.Sleep(ctx, s.maxAge)
			s.giveAll("third")
			backoff.Sleep(ctx, s.step)
		})
	})
	s.live("third")
	strangers := count(tries, http.StatusUnauthorized)
	s.report.printf("rotation: %d strangers were refused", strangers)
	s.report.want(strangers > 0, "no stranger was refused")
	return beside
}
