package main

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

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
