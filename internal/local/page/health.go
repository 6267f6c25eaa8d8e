package page

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// directWindow is the time for which the page reports direct records.
const directWindow = 60

// redisHealth is what the page knows of Redis. Page.mu guards it.
type redisHealth struct {
	downSince time.Time // zero while Redis answers
	policy    string    // the eviction policy; empty if unknown
}

// look pings Redis and, with policy, reads its eviction policy. It reports whether Redis
// answers.
func (p *Page) look(ctx context.Context, policy bool) bool {
	err := p.pipeline.Queue().Ping(ctx)
	var name string
	if err == nil && policy {
		if name, err = p.pipeline.Queue().EvictionPolicy(ctx); err != nil {
			p.o.Log.DebugContext(ctx, "page: eviction policy unknown", "error", err)
			err = nil
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.redis.downSince = time.Time{}
	case p.redis.downSince.IsZero():
		p.redis.downSince = time.Now()
	}
	if err == nil && policy {
		p.redis.policy = name
	}
	return err == nil
}

// Lost returns the number of accepted records that Redis has lost.
func (p *Page) Lost() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.totals().missing
}

// health lists what is wrong with the pipeline, one sentence each. Page.mu is held.
func (p *Page) health(b balance) []string {
	var wrong []string
	for i := range faultKinds {
		if since := p.faults[i].began(); !since.IsZero() {
			wrong = append(wrong, fmt.Sprintf("%s since %s.", faultKinds[i].State, since.Local().Format(time.TimeOnly)))
		}
	}
	if down := p.redis.downSince; !down.IsZero() {
		wrong = append(wrong, fmt.Sprintf("Redis is unreachable since %s.", down.Local().Format(time.TimeOnly)))
	}
	for _, m := range p.all() {
		if m.unreadable && p.redis.downSince.IsZero() {
			wrong = append(wrong, fmt.Sprintf("The queue of %s cannot be read.", m.name))
		}
	}
	if b.missing > 0 {
		wrong = append(wrong, fmt.Sprintf("Redis has lost %s.", plural(b.missing, "record", "records")))
	}
	if policy := p.redis.policy; strings.HasPrefix(policy, "allkeys-") {
		wrong = append(wrong, fmt.Sprintf("Redis can drop accepted records: its maxmemory-policy is %s.", policy))
	}
	if b.dead > 0 {
		wrong = append(wrong, fmt.Sprintf("%s under failed/.", plural(b.dead, "dead letter", "dead letters")))
	}
	direct := 0.0
	for _, m := range p.all() {
		direct += m.past.direct.sum(directWindow)
	}
	if direct > 0 {
		wrong = append(wrong, fmt.Sprintf("%s in the last minute, which the tap does not have.", plural(int64(direct), "direct record", "direct records")))
	}
	return wrong
}
