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

	"github.com/data-sink/data-sink/internal/pipeline/env"
)

// RotationOptions say how fast passwords are rotated. The zero values are a load
// of 80 requests a second and the stack's age of a copy of the secret, one minute.
type RotationOptions struct {
	Lab
	// Rate is how many requests a second the client's machines send together.
	Rate int
	// MaxAge is how old an ingest's copy of the clients' secret may get.
	MaxAge time.Duration
	// Step is how long a step of the rotation takes at least.
	Step time.Duration
}

// machines is how many there are of the client that rotates. They send at the
// same moments, so that as many processes of ingest are at work.
const machines = 8

// RotationReport is what became of the requests.
type RotationReport struct {
	// Requests is how many had a password that was live, and Accepted how many of
	// them were answered with 202.
	Requests, Accepted int
	// Unauthorized is how many of them were answered with 401.
	Unauthorized int
	// Revoked is how long after it was revoked a password was last accepted, and
	// RevokedRefused how often it was refused.
	Revoked, MaxAge time.Duration
	RevokedRefused  int
	// Strangers is how many requests with a wrong password were refused during
	// another rotation.
	Strangers int
	// Away is how long Secrets Manager was away, half of it refusing and half of
	// it silent, and Refusing and Silent are the requests' latencies; Beside those
	// beside strangers, and Usual all others.
	Away             time.Duration
	Usual, Beside    Latency
	Refusing, Silent Latency
	// Cold is the status that a request got then from a new process, which has no
	// copy of the secret.
	Cold int
	// Verdict is that of the archive.
	Verdict Verdict
}

// String is one line.
func (r RotationReport) String() string {
	return fmt.Sprintf("rotation: requests=%d accepted=%d unauthorized=%d lost=%d revoked accepted=%.2fs of %.0fs refused=%d strangers=%d usual: %v beside: %v away=%.0fs refusing: %v silent: %v cold=%d",
		r.Requests, r.Accepted, r.Unauthorized, r.Verdict.Lost, r.Revoked.Seconds(), r.MaxAge.Seconds(), r.RevokedRefused,
		r.Strangers, r.Usual, r.Beside, r.Away.Seconds(), r.Refusing, r.Silent, r.Cold)
}

// Err says which promise is broken; nil when none is. The times in them are
// bounds that follow from the order of things, and no slow machine breaks them.
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

// Rotation rotates a client's password under load, again among strangers, and
// takes Secrets Manager away.
func Rotation(ctx context.Context, o RotationOptions) (RotationReport, error) {
	if o.Rate == 0 {
		o.Rate, o.MaxAge, o.Step = 80, time.Minute, 10*time.Second
	}
	set := deployed()
	set.ingest = machines      // each with a copy of the secret when it is taken away
	set.schedule = time.Second // what happens behind ingest is not the point here
	set.ingestEnv = []string{env.ClientsMaxAge + "=" + o.MaxAge.String()}
	r := RotationReport{MaxAge: o.MaxAge, Away: 3 * o.MaxAge}
	err := inLab(ctx, o.Lab, set, func(s *suite) error {
		return (&rotation{suite: s, options: o, report: &r}).run(ctx)
	}, func() error { return r.Err() })
	return r, err
}

type rotation struct {
	*suite
	options RotationOptions
	report  *RotationReport

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
	s.log.printf("Secrets Manager is away")
	s.links.secretsMgr.cut()
	s.note(s.whilePosting(ctx, func(ctx context.Context) { sleep(ctx, s.report.Away/2) }), &s.report.Refusing)
	err := s.links.secretsMgr.become(swallowToxic)
	s.note(s.whilePosting(ctx, func(ctx context.Context) { sleep(ctx, s.report.Away/2) }), &s.report.Silent)
	s.functions.ingest.Renew()
	s.report.Cold, _ = s.load.post(s.ledger.nextHealthy(), basic(clientName, "third"))
	if err := errors.Join(err, s.links.secretsMgr.mend(), ctx.Err()); err != nil {
		return err
	}
	if err := s.drainToTheEnd(ctx); err != nil {
		return err
	}
	endTriggers()
	s.report.Verdict, err = s.verdict()
	return err
}

// live makes passwords the client's, and returns when they are.
func (s *rotation) live(passwords ...string) {
	s.aws.server.SetSecret(clientsSecret, fmt.Sprintf(`{%q:{"passwords":["%s"]}}`, clientName, strings.Join(passwords, `","`)))
}

// give has a machine use a password from now on.
func (s *rotation) give(machine int, password string) { s.passwords[machine].Store(&password) }

func (s *rotation) giveAll(password string) {
	for i := range machines {
		s.give(i, password)
	}
}

// whilePosting has the machines post while something is done.
func (s *rotation) whilePosting(ctx context.Context, do func(context.Context)) []post {
	return s.whileSending(ctx, s.options.Rate, func(at int) string { return *s.passwords[at].Load() }, do)
}

// whileTrying has somebody try a password at all processes while something is done.
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

// note counts posts whose password was live.
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

// rotate adds a password, has one machine after the other use it, and takes the
// old one out, which somebody goes on to try.
func (s *rotation) rotate(ctx context.Context) {
	sleep(ctx, s.options.Step)
	s.live("first", "second")
	s.log.printf("there is a second password")
	for i := range machines {
		s.give(i, "second")
		sleep(ctx, s.options.Step/machines)
	}
	var revoked time.Time
	tries := s.whileTrying(ctx, "first", func(ctx context.Context) {
		sleep(ctx, s.options.Step/2)
		s.live("second")
		revoked = time.Now()
		s.log.printf("the first one is revoked")
		sleep(ctx, s.options.MaxAge+s.options.Step)
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

// amongStrangers rotates as the command does, which waits until every copy of the
// secret has the new password, while others try a wrong one: their tries use up
// the refreshes that a password which is not known yet would need.
func (s *rotation) amongStrangers(ctx context.Context) {
	tries := s.whileTrying(ctx, "wrong", func(ctx context.Context) {
		s.note(s.whilePosting(ctx, func(ctx context.Context) {
			sleep(ctx, s.options.Step)
			s.live("second", "third")
			s.log.printf("there is a third password, among strangers")
			sleep(ctx, s.options.MaxAge)
			s.giveAll("third")
			sleep(ctx, s.options.Step)
		}), &s.report.Beside)
	})
	s.live("third")
	for _, p := range tries {
		if p.status == http.StatusUnauthorized {
			s.report.Strangers++
		}
	}
}
