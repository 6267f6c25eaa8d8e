package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/envelope"
)

// State is what a queue holds and what has passed through it. Bytes are those of
// envelopes. When nothing is lost or counted twice,
//
//	Accepted = Depth + ClaimedRecords + Forwarded + DeadLettered + Lost
//	AcceptedBytes = QueuedBytes + ClaimedBytes + ForwardedBytes + DeadLetteredBytes + LostBytes
//
// The first line can be checked when Exact is set and Settling is not, the second
// when Measured is set.
type State struct {
	Depth       int64 `json:"depth"`
	QueuedBytes int64 `json:"queuedBytes"`
	Claims      int64 `json:"claims"`
	// ClaimedRecords is the sum of the lengths of the claims' lists.
	ClaimedRecords int64 `json:"claimedRecords"`
	ClaimedBytes   int64 `json:"claimedBytes"`
	// Drainers is the number of drainers that hold claims; DrainerIDs are their
	// ids, sorted.
	Drainers   int64    `json:"drainers"`
	DrainerIDs []string `json:"-"`
	// OldestReceivedAt is the earliest time of receipt among the first envelopes of
	// the queue and the claims. It is zero when none of them can be decoded.
	// Records that returned to the tail of the queue may be older.
	OldestReceivedAt time.Time `json:"oldestReceivedAt,omitzero"`

	// Counters of the records that have passed, since the stream's first record.
	Accepted          int64 `json:"accepted"`
	AcceptedBytes     int64 `json:"acceptedBytes"`
	Forwarded         int64 `json:"forwarded"`
	ForwardedBytes    int64 `json:"forwardedBytes"`
	DeadLettered      int64 `json:"deadLettered"`
	DeadLetteredBytes int64 `json:"deadLetteredBytes"`
	// Lost counts accepted records that were found nowhere; see Reconcile. LostAt
	// is when some were last found to be lost.
	Lost      int64     `json:"lost"`
	LostBytes int64     `json:"lostBytes"`
	LostAt    time.Time `json:"lostAt,omitzero"`

	// Exact reports whether all numbers belong to one moment. Otherwise
	// ClaimedRecords is a counter instead of lengths, because claims came and went
	// too fast.
	Exact bool `json:"exact"`
	// Measured reports whether QueuedBytes and ClaimedBytes were measured on the
	// lists in that moment. Otherwise they are derived from the counters, because
	// the lists hold more than 256 KiB or the state is not exact.
	Measured bool `json:"measured"`
	// Settling reports whether Reconcile still raises Accepted to the sum of the
	// other numbers.
	Settling bool `json:"settling"`
}

const (
	// headBytes is the number of bytes of an envelope that envelope.ReceivedAt needs.
	headBytes = 64
	// measuredBytes limits the bytes that Inspect reads of the lists, because Redis
	// serves no other client during a script.
	measuredBytes = 256 << 10
	// claimTries is how often a script is called until it is called with the claims
	// of the moment.
	claimTries = 6
)

// Inspect reads the state of a stream's queue.
func (q *Queue) Inspect(ctx context.Context, stream string) (State, error) {
	k := q.keys(stream)
	var ids []string
	for try := 1; ; try++ {
		keys := []string{k.queue, k.claims, k.stats}
		args := []any{headBytes, measuredBytes, 0}
		if try == claimTries {
			args[2] = 1
		}
		for _, id := range ids {
			keys, args = append(keys, k.claim+id), append(args, id)
		}
		parts, err := inspectScript.runTwice(ctx, q.client, keys, args...).list()
		if err == nil && len(parts) == 1 && try < claimTries {
			if ids, err = parts[0].texts(); err == nil {
				continue
			}
		}
		var state State
		if err == nil {
			state, err = parseState(parts)
		}
		if err != nil {
			return State{}, fmt.Errorf("inspecting %s: %w", k.queue, err)
		}
		return state, nil
	}
}

func parseState(parts []answer) (State, error) {
	if len(parts) != 5 {
		return State{}, fmt.Errorf("answer of %d elements, want 5", len(parts))
	}
	ids, idsErr := parts[0].texts()
	// Whether the claims are exact, clock, depth, bytes in queue and claims.
	n, numbersErr := parts[1].numbers()
	lengths, lengthsErr := parts[2].numbers()
	heads, headsErr := parts[3].texts()
	counters, countersErr := parseCounters(parts[4])
	if err := errors.Join(idsErr, numbersErr, lengthsErr, headsErr, countersErr); err != nil {
		return State{}, err
	}
	if len(n) != 5 {
		return State{}, fmt.Errorf("answer with %d numbers, want 5", len(n))
	}
	state := counted(counters)
	state.Exact, state.Depth = n[0] == 1, n[2]
	state.Claims = int64(len(ids))
	state.DrainerIDs = drainers(ids)
	state.Drainers = int64(len(state.DrainerIDs))
	state.OldestReceivedAt = oldest(heads)
	state.Settling = len(counters) > 0 && (counters["acceptedFrom"] == 0 || n[1] < counters["acceptedFrom"])
	if state.Exact {
		state.ClaimedRecords = 0
		for _, length := range lengths {
			state.ClaimedRecords += length
		}
		if n[3] >= 0 {
			state.Measured, state.QueuedBytes, state.ClaimedBytes = true, n[3], n[4]
		}
	}
	return state, nil
}

// counted returns what the counters alone say.
func counted(counters map[string]int64) State {
	s := State{
		ClaimedRecords: counters["claimed"], ClaimedBytes: counters["claimedBytes"],
		Accepted: counters["accepted"], AcceptedBytes: counters["acceptedBytes"],
		Forwarded: counters["forwarded"], ForwardedBytes: counters["forwardedBytes"],
		DeadLettered: counters["aside"], DeadLetteredBytes: counters["asideBytes"],
		Lost: counters["lost"], LostBytes: counters["lostBytes"],
	}
	s.QueuedBytes = s.AcceptedBytes - s.ClaimedBytes - s.ForwardedBytes - s.DeadLetteredBytes - s.LostBytes
	if at := counters["lostAt"]; at > 0 {
		s.LostAt = time.UnixMilli(at).UTC()
	}
	return s
}

func parseCounters(a answer) (map[string]int64, error) {
	flat, err := a.texts()
	if err != nil {
		return nil, err
	}
	counters := make(map[string]int64, len(flat)/2)
	for pair := range slices.Chunk(flat, 2) {
		if len(pair) != 2 {
			return nil, fmt.Errorf("counter %q has no value", pair[0])
		}
		if counters[pair[0]], err = strconv.ParseInt(pair[1], 10, 64); err != nil {
			return nil, fmt.Errorf("counter %q: %w", pair[0], err)
		}
	}
	return counters, nil
}

// drainers returns the drainers of claims, sorted.
func drainers(claims []string) []string {
	ids := make(map[string]bool)
	for _, claim := range claims {
		drainer, _, _ := strings.Cut(claim, ".")
		ids[drainer] = true
	}
	return slices.Sorted(maps.Keys(ids))
}

func oldest(heads []string) time.Time {
	var first time.Time
	for _, head := range heads {
		at, err := envelope.ReceivedAt([]byte(head))
		if err == nil && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// EvictionPolicy returns Redis' maxmemory-policy, or "" when Redis does not tell
// it. A policy that begins with "allkeys-" may drop records.
func (q *Queue) EvictionPolicy(ctx context.Context) (string, error) {
	info, err := q.client.Info(ctx, "memory").Result()
	if err != nil {
		if isAnswer(err) {
			return "", nil
		}
		return "", fmt.Errorf("reading the eviction policy: %w", err)
	}
	for line := range strings.Lines(info) {
		if policy, ok := strings.CutPrefix(strings.TrimSpace(line), "maxmemory_policy:"); ok {
			return policy, nil
		}
	}
	return "", nil
}
