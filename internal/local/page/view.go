package page

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// view is the data of the templates.
type view struct {
	Deployment string
	Title      string // of the browser's tab
	Public     bool   // other machines may open the page
	Health     []string
	Pictures   []picture
	Tally      tally
	Faults     []faultView
	Streams    []streamView
	Chosen     string
	Plots      []plot
	Records    []recordView
	Sent       sentResult
	Tree       *folder
	Object     *object
	At         string
	Minutes    int
	MaxTimes   int
	CutBytes   int
	Throttled  int
}

type faultView struct {
	ID, Label, Effect, Next string
	On                      bool
}

type streamView struct {
	Name, Href                             string
	Chosen, Retired                        bool
	Tap                                    string // a note if the stream does not feed a tap
	Depth, In, Out, Age, Accepted, Archive string
	Spark                                  string
}

type recordView struct {
	seen
	Time, Bytes, Body string
}

// tally is a balance as text, and as a bar of 1000 units.
type tally struct {
	Answer                        string
	Accepted, Copies              string
	Redis, Missing, Tap, Firehose string
	Archive, Direct, Dead         string
	Refused, Found, Throttled     string
	Done, Moving                  int64
	Label                         string
}

func (p *Page) view(q query) view {
	v := p.numbers(q)
	v.Tree, v.Object = p.browse(q)
	return v
}

// numbers returns the view without the archive.
func (p *Page) numbers(q query) view {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	v := view{
		Deployment: p.o.Deployment, Chosen: q.stream, At: q.at, Sent: p.sent,
		Minutes: minutes, MaxTimes: maxSend, CutBytes: cutBytes, Throttled: throttledRecords,
	}
	t := p.totals()
	v.Tally, v.Pictures, v.Health = p.tally(t), p.pictures(t), p.health(t.balance)
	p.viewFaults(&v)
	for _, m := range p.all() {
		v.Streams = append(v.Streams, m.view(q, now))
	}
	m := p.meter(q.stream)
	v.Plots = m.plots()
	for _, r := range m.newest.all() {
		v.Records = append(v.Records, recordView{
			seen: r, Time: r.ReceivedAt.Local().Format("15:04:05.000"), Bytes: byteSize(int64(r.Size)), Body: preview(bytes.NewReader(r.head), cutBytes),
		})
	}
	v.Title = v.Tally.Answer
	if len(v.Health) > 0 {
		v.Title = v.Health[0]
	}
	return v
}

func (p *Page) viewFaults(v *view) {
	for i := range faultKinds {
		kind := faultKinds[i]
		f := faultView{ID: kind.ID, Label: kind.Start, Effect: kind.Effect, Next: "on"}
		if p.faults[i].on() {
			f.On, f.Label, f.Next = true, kind.End, "off"
		}
		v.Faults = append(v.Faults, f)
	}
}

// totals are the sums over all streams. Page.mu is held.
type totals struct {
	balance
	throttled, depth, claimed int64
	rates                     rates
}

func (p *Page) totals() totals {
	var t totals
	for _, m := range p.all() {
		t.add(m.balance())
		t.throttled += m.throttled.Load()
		t.depth += m.state.Depth
		t.claimed += m.state.ClaimedRecords
		t.rates.accepted += m.rates.accepted
		t.rates.direct += m.rates.direct
		t.rates.forwarded += m.rates.forwarded
		t.rates.tapped += m.rates.tapped
		t.rates.bridged += m.rates.bridged
		t.rates.drained += m.rates.drained
		t.rates.archived += m.rates.archived
	}
	return t
}

func (p *Page) tally(t totals) tally {
	b := t.balance
	l := tally{
		Answer: b.answer(!p.redis.downSince.IsZero()), Accepted: count(b.accepted), Copies: count(b.copies),
		Redis: count(b.redis), Missing: count(b.missing), Tap: count(b.tap), Firehose: count(b.firehose),
		Archive: count(b.archive), Direct: count(b.direct), Dead: count(b.dead),
		Refused: count(p.requests.refused.Load()), Found: count(b.found), Throttled: count(t.throttled),
	}
	if all := b.accepted + b.copies; all > 0 {
		l.Done = 1000 * (b.archive + b.dead) / all
		l.Moving = 1000 * (b.redis + b.tap + b.firehose) / all
	}
	l.Label = fmt.Sprintf("%s accepted, %s in the archive, %s on the way", l.Accepted, l.Archive, count(b.onTheWay()))
	return l
}

func (p *Page) pictures(t totals) []picture {
	parts := []part{
		{name: "client", value: perSecond(p.apiRate), note: "requests"},
		{name: "API", value: count(t.accepted - t.found), note: "accepted", rate: p.apiRate},
		{name: "ingest", value: seconds(p.apiTime.Seconds()), note: "to respond", rate: p.apiRate},
		{name: "Redis", value: count(t.depth), note: "queued", rate: max(0, t.rates.accepted-t.rates.direct), class: waiting(t.depth)},
		{name: "drainer", value: count(t.claimed), note: "claimed", rate: t.rates.forwarded},
		{name: "Kinesis", value: count(t.tap), note: "on the tap", rate: t.rates.tapped},
		{name: "bridge", value: perSecond(t.rates.bridged), note: "delivered", rate: t.rates.bridged},
		{name: "Firehose", value: count(t.firehose), note: "buffered", rate: t.rates.bridged},
		{name: "S3", value: count(t.archive), note: "archived", rate: t.rates.archived},
	}
	for i, note := range [...]string{redisStopped: "stopped", kinesisThrottled: "throttled", drainerKilled: "dead"} {
		for j := range parts {
			if p.faults[i].on() && parts[j].name == faultKinds[i].Node {
				parts[j].note, parts[j].class = note, "broken"
			}
		}
	}
	if !p.redis.downSince.IsZero() {
		parts[3].note, parts[3].class = "unreachable", "broken"
	}
	pictures := []picture{paint("wide", parts, len(parts), t.rates.direct), paint("narrow", parts, 3, t.rates.direct)}
	if slices.ContainsFunc(p.all(), func(m *meter) bool { return !m.stream.Load().FeedsTap() }) {
		for i := range pictures {
			pictures[i].passTap(t.rates.drained)
		}
	}
	return pictures
}

func waiting(depth int64) string {
	if depth > 0 {
		return "waiting"
	}
	return ""
}

func (m *meter) view(q query, now time.Time) streamView {
	depth := m.past.depth.all()
	accepted := m.past.accepted.all()
	most := float32(1)
	for _, v := range accepted {
		most = max(most, v)
	}
	name, b := m.name, m.balance()
	return streamView{
		Name: name, Href: query{stream: name}.href(), Chosen: name == q.stream, Retired: m.stream.Load().Retired, Tap: tapNote(*m.stream.Load()),
		Depth: records(last(depth)), In: perSecond(m.rates.accepted), Out: perSecond(m.rates.forwarded),
		Age: seconds(m.age(now).Seconds()), Accepted: count(b.accepted), Archive: count(b.archive),
		Spark: points(accepted, float64(most), sparkHeight),
	}
}

// tapNote says that a stream has no tap or that its tap is ending.
func tapNote(s stream.Stream) string {
	switch s.Tap {
	case stream.TapOff:
		return "no tap"
	case stream.TapEnding:
		return "tap ending"
	}
	return ""
}

// sparkHeight is the height of the small plot in a row of the table.
const sparkHeight = 24

func last(values []float32) float64 {
	if len(values) == 0 {
		return 0
	}
	return float64(values[len(values)-1])
}

// plots returns the plots of a stream.
func (m *meter) plots() []plot {
	about := m.name
	return []plot{
		draw("depth", "Depth", "records in the queue and in claims", about, records, trace{"now", m.past.depth.all()}),
		draw("rate", "Rate", "records a second into and out of the queue", about, perSecond,
			trace{"in", m.past.accepted.all()}, trace{"out", m.past.forwarded.all()}),
		draw("latency", "Latency", "from receipt to the tap or Firehose, the maximum of each second", about, seconds, trace{"now", m.past.latency.all()}),
		draw("age", "Age", "of the oldest record in the queue", about, seconds, trace{"now", m.past.age.all()}),
	}
}
