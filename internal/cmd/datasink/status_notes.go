package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/operate/remote"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// problemsOf returns a sentence for each part of the deployment that does not
// answer: what it is, and what happens meanwhile.
func problemsOf(described string, q queues, a archived, behind lags) []string {
	var problems []string
	switch {
	case errors.Is(q.err, remote.ErrFunction):
		problems = append(problems, fmt.Sprintf("The drainer cannot read the queues (%v). Meanwhile queued records wait. New records wait in the queue too or, "+
			"if Redis is unreachable, go to the archive as direct records, which are not on the tap.", q.err))
	case errors.Is(q.err, deployment.ErrNotRunning):
		return []string{fmt.Sprintf("Nothing accepts records: %v.", q.err)}
	case q.err != nil:
		problems = append(problems, fmt.Sprintf("The drainer of %s does not answer (%v). Meanwhile accepted records wait in the queue.", described, q.err))
	}
	for _, name := range slices.Sorted(maps.Keys(q.unreadable)) {
		problems = append(problems, fmt.Sprintf("The queue of %s cannot be read (%s). Meanwhile its queued records wait, and its new records "+
			"wait too or go to the archive as direct records, which are not on the tap. The other streams are not affected.", name, q.unreadable[name]))
	}
	switch {
	case errors.Is(a.err, deployment.ErrNotLocal):
		problems = append(problems, fmt.Sprintf("The archive is unknown: %v.", a.err))
	case a.err != nil:
		problems = append(problems, fmt.Sprintf("The archive does not answer (%v). Meanwhile Firehose retries for 24 hours, and direct records are refused with 503.", a.err))
	}
	if behind.err != nil {
		problems = append(problems, fmt.Sprintf("The lags of the bridge and of the Firehoses are unknown (%v). The records are not affected.", behind.err))
	}
	return problems
}

// lossesOf returns a sentence for each stream of which a sweep found accepted
// records to be lost.
func lossesOf(q queues) []string {
	var losses []string
	for _, name := range slices.Sorted(maps.Keys(q.streams)) {
		if s := q.streams[name]; s.Lost > 0 {
			losses = append(losses, fmt.Sprintf("Redis has lost %d accepted records of %s in total, the last ones found at %s.",
				s.Lost, name, s.LostAt.UTC().Format(time.DateTime+" UTC")))
		}
	}
	return losses
}

// tapsOf returns a sentence for each tap that is ending: whether it is empty, so that
// the stream can do without it.
func tapsOf(rows []streamStatus) []string {
	var lines []string
	for _, r := range rows {
		switch {
		case r.Tap != stream.TapEnding:
		case *r.TapEmpty:
			lines = append(lines, fmt.Sprintf(`The tap of %s is ending and is empty: set "tap" to false and deploy.`, r.Stream))
		default:
			lines = append(lines, fmt.Sprintf(`The tap of %s is ending and is not known to be empty: keep "tap" at "ending".`, r.Stream))
		}
	}
	return lines
}
