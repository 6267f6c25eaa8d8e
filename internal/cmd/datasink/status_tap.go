package main

import (
	"fmt"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

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
