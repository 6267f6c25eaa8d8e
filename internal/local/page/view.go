package page

import (
	"bytes"
	"fmt"
	"net/url"
	"time"
)

// view is what the templates show, all of it made.
type view struct {
	Deployment string
	Title      string // of the browser's tab
	Health     []string
	Pictures   []picture
	Ledger     ledger
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
	Depth, In, Out, Age, Accepted, Archive string
	Spark                                  string
}

type recordView struct {
	seen
	Time, Bytes, Body string
}

// ledger compares what was accepted with what is in the archive.
type ledger struct {
	Accepted, Archived, Way               string
	Refused, Found, Twice                 string
	Redis, Tap, Firehose, Straight, Aside string
	Throttled                             string
	// The bar has 1000 units.
	Done, Moving int64
	Label, Text  string
}

func (p *Page) view(q query) view {
	v := p.numbers(q)
	v.Tree, v.Object = p.browse(q)
	return v
}

// numbers is the view without the archive.
func (p *Page) numbers(q query) view {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.o.Now()
	v := view{
		Deployment: p.o.Deployment, Chosen: q.stream, At: q.at, Sent: p.sent,
		Minutes: minutes, MaxTimes: maxSend, CutBytes: cutBytes, Throttled: throttledRecords,
	}
	v.Ledger = p.ledger()
	v.Pictures = p.pictures()
	p.viewFaults(&v)
	for _, m := range p.streams {
		v.Streams = append(v.Streams, m.view(q, now))
	}
	m := p.byName[q.stream]
	v.Plots = m.plots()
	for _, r := range m.newest.all() {
		v.Records = append(v.Records, recordView{
			seen: r, Time: r.ReceivedAt.Local().Format("15:04:05.000"), Bytes: byteSize(int64(r.Size)), Body: preview(bytes.NewReader(r.head), cutBytes),
		})
	}
	v.Title = v.Ledger.Text
	return v
}

func (p *Page) viewFaults(v *view) {
	for i := range faultKinds {
		kind := faultKinds[i]
		f := faultView{ID: kind.ID, Label: kind.Start, Effect: kind.Effect, Next: "on"}
		if since := p.faults[i].began(); !since.IsZero() {
			f.On, f.Label, f.Next = true, kind.End, "off"
			v.Health = append(v.Health, fmt.Sprintf("%s since %s.", kind.State, since.Local().Format(time.TimeOnly)))
		}
		v.Faults = append(v.Faults, f)
	}
}

// totals sum all streams.
type totals struct {
	hops
	straight, aside, throttled int64
	found, twice, accepted     int64
	depth, claimed             int64
	rates                      rates
}

func (p *Page) totals() totals {
	t := totals{accepted: p.accepted.Load()}
	for _, m := range p.streams {
		h := m.hops()
		t.archived += h.archived
		t.bridged += h.bridged
		t.tapped += h.tapped
		t.straight += m.straight.Load()
		t.aside += m.aside.Load()
		t.throttled += m.throttled.Load()
		t.accepted += m.found.Load()
		t.found += m.found.Load()
		t.twice += m.twice
		t.depth += m.state.Depth
		t.claimed += m.state.ClaimedRecords
		t.rates.accepted += m.rates.accepted
		t.rates.forwarded += m.rates.forwarded
		t.rates.tapped += m.rates.tapped
		t.rates.bridged += m.rates.bridged
		t.rates.archived += m.rates.archived
	}
	return t
}

func (p *Page) ledger() ledger {
	t := p.totals()
	accepted, once := t.accepted, t.archived-t.twice
	way := max(0, accepted-once)
	l := ledger{
		Accepted: count(accepted), Archived: count(once), Way: count(way),
		Refused: count(p.refused.Load()), Found: count(t.found), Twice: count(t.twice),
		Redis: count(t.depth + t.claimed), Tap: count(max(0, t.tapped-t.bridged)),
		Firehose: count(max(0, t.bridged-(t.archived-t.straight-t.aside))), Straight: count(t.straight),
		Aside: count(t.aside), Throttled: count(t.throttled),
	}
	if accepted > 0 {
		l.Done = min(1000, 1000*once/accepted)
		l.Moving = 1000 - l.Done
	}
	switch {
	case accepted == 0:
		l.Text = "Nothing was accepted yet"
	case way == 0:
		l.Text = "All that was accepted is in the archive"
	default:
		l.Text = l.Way + " on the way to the archive"
	}
	l.Label = fmt.Sprintf("%s accepted, %s in the archive, %s on the way", l.Accepted, l.Archived, l.Way)
	return l
}

// pictures are both forms of the picture.
func (p *Page) pictures() []picture {
	t := p.totals()
	firehose := max(0, t.bridged-(t.archived-t.straight-t.aside))
	var straight float64
	for _, m := range p.streams {
		straight += m.straightRate
	}
	queued := max(0, t.rates.accepted-straight)
	parts := []part{
		{name: "client", value: perSecond(p.apiRate), note: "requests"},
		{name: "API", value: count(t.accepted - t.found), note: "accepted", rate: p.apiRate},
		{name: "ingest", value: seconds(p.apiTime.Seconds()), note: "to answer", rate: p.apiRate},
		{name: "Redis", value: count(t.depth), note: "queued", rate: queued, class: waiting(t.depth)},
		{name: "drainer", value: count(t.claimed), note: "claimed", rate: t.rates.forwarded},
		{name: "Kinesis", value: count(max(0, t.tapped-t.bridged)), note: "on the tap", rate: t.rates.tapped},
		{name: "bridge", value: perSecond(t.rates.bridged), note: "packed", rate: t.rates.bridged},
		{name: "Firehose", value: count(firehose), note: "buffered", rate: t.rates.bridged},
		{name: "S3", value: count(t.archived), note: "archived", rate: t.rates.archived},
	}
	for i, note := range [...]string{redisStopped: "stopped", kinesisThrottled: "throttled", drainerKilled: "dead"} {
		for j := range parts {
			if p.faults[i].on() && parts[j].name == faultKinds[i].Node {
				parts[j].note, parts[j].class = note, "broken"
			}
		}
	}
	return []picture{paint("wide", parts, len(parts), straight), paint("narrow", parts, 3, straight)}
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
	name := m.stream.Name
	return streamView{
		Name: name, Href: "/?" + url.Values{"stream": {name}}.Encode(), Chosen: name == q.stream, Retired: m.stream.Retired,
		Depth: records(last(depth)), In: perSecond(m.rates.accepted), Out: perSecond(m.rates.forwarded),
		Age: seconds(m.age(now).Seconds()), Accepted: count(m.hops().accepted), Archive: count(m.archived()),
		Spark: points(accepted, float64(most), sparkHeight),
	}
}

// sparkHeight is the height of the small plot in a row.
const sparkHeight = 24

func last(values []float32) float64 {
	if len(values) == 0 {
		return 0
	}
	return float64(values[len(values)-1])
}

// plots are those of a stream.
func (m *meter) plots() []plot {
	about := m.stream.Name
	return []plot{
		draw("depth", "Depth", "records in the queue and in claims", about, records, trace{"now", m.past.depth.all()}),
		draw("rate", "Rate", "records a second into and out of the queue", about, perSecond,
			trace{"in", m.past.accepted.all()}, trace{"out", m.past.forwarded.all()}),
		draw("latency", "Latency", "from receipt to the tap, the longest in each second", about, seconds, trace{"now", m.past.latency.all()}),
		draw("age", "Age", "of the oldest record in the queue", about, seconds, trace{"now", m.past.age.all()}),
	}
}
