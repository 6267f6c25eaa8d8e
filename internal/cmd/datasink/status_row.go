package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/operate/remote"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// streamStatus is the state of a stream. The fields of a part that is unknown are
// absent in JSON.
type streamStatus struct {
	Stream string `json:"stream"`
	// Orphan is set for a stream that is not in the deployment's streams.json.
	Orphan bool `json:"orphan,omitempty"`
	// Retired is set for a stream for which POST answers 404.
	Retired bool `json:"retired,omitempty"`
	// Tap is "ending" or false for a stream that does not feed a tap, and TapEmpty says
	// whether the bridge has read all records of a tap that is ending.
	Tap      stream.Tap `json:"tap,omitempty"`
	TapEmpty *bool      `json:"tapEmpty,omitempty"`
	*queueStatus
	*rates
	remote.Lag
	*objectStatus
}

type queueStatus struct {
	Queued int64 `json:"queued"`
	// OldestSeconds is the age of the oldest record; 0 if there is none.
	OldestSeconds float64 `json:"oldestSeconds"`
	Claims        int64   `json:"claims"`
	Claimed       int64   `json:"claimed"`
}

// rates are in records a second.
type rates struct {
	AcceptedRate  float64 `json:"acceptedRate"`
	ForwardedRate float64 `json:"forwardedRate"`
}

type objectStatus struct {
	// Direct is the number of objects of direct records in the last hour.
	Direct int `json:"direct"`
	// DeadLetters is a number of records; a lower bound if DeadLettersAtLeast is set.
	DeadLetters        int  `json:"deadLetters"`
	DeadLettersAtLeast bool `json:"deadLettersAtLeast,omitempty"`
	// LastObject is the key of the newest object; absent if there is none.
	LastObject   string    `json:"lastObject,omitempty"`
	LastObjectAt time.Time `json:"lastObjectAt,omitzero"`
}

// statusOf returns the state of every stream, orphans last.
func statusOf(before, now queues, a archived, behind lags) []streamStatus {
	seconds := now.at.Sub(before.at).Seconds()
	row := func(name string, orphan bool, then, current map[string]queue.State) streamStatus {
		r := streamStatus{Stream: name, Orphan: orphan, Retired: slices.Contains(now.retired, name), Tap: now.taps[name], Lag: behind.streams[name]}
		if r.Tap == stream.TapEnding {
			empty := r.TapIsEmpty()
			r.TapEmpty = &empty
		}
		state, known := current[name]
		if known || now.err == nil && orphan { // an orphan without a state has only dead letters
			q := queueStatus{Queued: state.Depth, Claims: state.Claims, Claimed: state.ClaimedRecords}
			if !state.OldestReceivedAt.IsZero() {
				q.OldestSeconds = max(now.at.Sub(state.OldestReceivedAt).Seconds(), 0)
			}
			r.queueStatus = &q
			if before.err == nil {
				r.rates = &rates{rate(then[name].Accepted, state.Accepted, seconds), rate(then[name].Forwarded, state.Forwarded, seconds)}
			}
		}
		if a.err == nil {
			latest := a.latest[name]
			r.objectStatus = &objectStatus{
				Direct: a.direct[name], DeadLetters: a.dead[name], DeadLettersAtLeast: a.atLeast[name],
				LastObject: latest.Key, LastObjectAt: latest.WrittenAt,
			}
		}
		return r
	}
	streams := streamsOf(now, a)
	rows := []streamStatus{}
	for _, name := range streams {
		rows = append(rows, row(name, false, before.streams, now.streams))
	}
	orphans := slices.Collect(maps.Keys(now.orphans))
	for name := range a.dead {
		if !slices.Contains(streams, name) && !slices.Contains(orphans, name) {
			orphans = append(orphans, name)
		}
	}
	slices.Sort(orphans)
	for _, name := range orphans {
		rows = append(rows, row(name, true, before.orphans, now.orphans))
	}
	return rows
}

// streamsOf returns the streams of the deployment, sorted.
func streamsOf(q queues, a archived) []string {
	streams := slices.Collect(maps.Keys(q.streams))
	streams = append(streams, slices.Collect(maps.Keys(q.unreadable))...)
	if q.err != nil {
		streams = slices.Clone(a.streams)
	}
	slices.Sort(streams)
	return streams
}

// rate returns the growth of a counter a second; 0 after a reset of the counter.
func rate(before, now int64, seconds float64) float64 {
	if now < before || seconds <= 0 {
		return 0
	}
	return float64(now-before) / seconds
}

// totalOf adds the known values of all rows up. A part that is unknown for one row
// is unknown in the total.
func totalOf(rows []streamStatus) streamStatus {
	total := streamStatus{Stream: "total", queueStatus: &queueStatus{}, rates: &rates{}, objectStatus: &objectStatus{}}
	total.Lag = remote.Lag{Bridge: new(float64), Firehose: new(float64)}
	for _, r := range rows {
		if !r.Orphan {
			total.Firehose = larger(total.Firehose, r.Firehose)
			if r.Tap != stream.TapOff {
				total.Bridge = larger(total.Bridge, r.Bridge)
			}
		}
		if r.queueStatus == nil {
			total.queueStatus = nil
		} else if t := total.queueStatus; t != nil {
			t.Queued += r.Queued
			t.Claims += r.Claims
			t.Claimed += r.Claimed
			t.OldestSeconds = max(t.OldestSeconds, r.OldestSeconds)
		}
		if r.rates == nil {
			total.rates = nil
		} else if t := total.rates; t != nil {
			t.AcceptedRate += r.AcceptedRate
			t.ForwardedRate += r.ForwardedRate
		}
		if r.objectStatus == nil {
			total.objectStatus = nil
		} else if t := total.objectStatus; t != nil {
			t.Direct += r.Direct
			t.DeadLetters += r.DeadLetters
			t.DeadLettersAtLeast = t.DeadLettersAtLeast || r.DeadLettersAtLeast
			if r.LastObjectAt.After(t.LastObjectAt) {
				t.LastObject, t.LastObjectAt = r.LastObject, r.LastObjectAt
			}
		}
	}
	return total
}

// larger returns the larger of two numbers. The result is nil, which means unknown, if
// one of them is nil.
func larger(a, b *float64) *float64 {
	switch {
	case a == nil || b == nil:
		return nil
	case *b > *a:
		return b
	}
	return a
}

// cells returns the columns of the table: "-" means none, "?" means unknown.
func (r streamStatus) cells(now time.Time) []string {
	row := []string{r.Stream + r.mark(), "?", "?", "?", "?", "?", lagText(r.Bridge), lagText(r.Firehose), "?", "?", "?"}
	if r.Orphan {
		row[6], row[7] = "-", "-" // The deployment has no bridge and no Firehose for it.
	}
	if r.Tap == stream.TapOff {
		row[6] = "-"
	}
	if r.queueStatus != nil {
		row[1], row[2], row[5] = fmt.Sprint(r.Queued), "-", fmt.Sprintf("%d (%d)", r.Claimed, r.Claims)
		if r.OldestSeconds > 0 {
			row[2] = ageText(time.Duration(r.OldestSeconds * float64(time.Second)))
		}
	}
	if r.rates != nil {
		row[3], row[4] = fmt.Sprintf("%.1f", r.AcceptedRate), fmt.Sprintf("%.1f", r.ForwardedRate)
	}
	if r.objectStatus != nil {
		row[8], row[9], row[10] = fmt.Sprint(r.Direct), fmt.Sprint(r.DeadLetters), "-"
		if r.DeadLettersAtLeast {
			row[9] += "+"
		}
		if !r.LastObjectAt.IsZero() {
			row[10] = ageText(now.Sub(r.LastObjectAt)) + " ago"
		}
	}
	return row
}

// mark returns what the table shows behind the name of the stream.
func (r streamStatus) mark() string {
	var marks []string
	if r.Retired {
		marks = append(marks, "retired")
	}
	switch r.Tap {
	case stream.TapOff:
		marks = append(marks, "no tap")
	case stream.TapEnding:
		marks = append(marks, "tap ending")
	}
	switch {
	case r.Orphan:
		return " *"
	case len(marks) > 0:
		return " (" + strings.Join(marks, ", ") + ")"
	}
	return ""
}

// lagText returns a number of seconds as text: "?" if it is unknown.
func lagText(seconds *float64) string {
	if seconds == nil {
		return "?"
	}
	return ageText(time.Duration(*seconds * float64(time.Second)))
}
