package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/operate/verify"
)

// printReport writes a report as text.
func printReport(c console, r *verify.Report) {
	fmt.Fprintf(c.out, "%s, %s to %s UTC\n", r.Stream, r.From.Format(time.DateTime), r.To.Format(time.DateTime))
	var rows [][]string
	row := func(hop string, text string, args ...any) {
		rows = append(rows, []string{"  " + hop, fmt.Sprintf(text, args...)})
	}
	if q := r.Queue; q != nil {
		row("queue", "%d accepted in total: %d queued, %d claimed, %d forwarded, %d dead letters", q.Accepted, q.Queued, q.Claimed, q.Forwarded, q.DeadLettered)
	}
	if r.Tap != nil {
		row("tap", "%d records, %s; %d not sent by the bridge yet, %d dead letters", r.Tap.Records, bytesText(r.Tap.Bytes), r.TapInFlight.Records, r.DeadLettered.Records)
	}
	row("bridge", "%d records, %s, in %d packed records", r.Bridged.Records, bytesText(r.Bridged.Bytes), r.Bridged.Packed)
	row("archive", "%d records, %s; %d in flight; %d objects read", r.Archived.Records, bytesText(r.Archived.Bytes), r.InFlight.Records, r.Read.Objects)
	if r.Unsettled > 0 {
		row("", "%s in objects that are so new that the log may not have them yet", bytesText(r.Unsettled))
	}
	if n := len(r.DirectUnlogged); n > 0 {
		row("", "%d direct records without a line in ingest's log: their clients may have got no answer", n)
	}
	for _, why := range slices.Sorted(maps.Keys(r.Direct)) {
		row(string(why), "%d records, %s, in %d objects", r.Direct[why].Records, bytesText(r.Direct[why].Bytes), r.Direct[why].Objects)
	}
	width := 0
	for _, row := range rows {
		width = max(width, len(row[0]))
	}
	for _, row := range rows {
		fmt.Fprintf(c.out, "%-*s  %s\n", width, row[0], row[1])
	}
	if r.Equal() {
		fmt.Fprintln(c.out, "  equal")
		return
	}
	fmt.Fprintf(c.out, "  %s:\n", counted(len(r.Findings), "difference"))
	for _, f := range r.Findings {
		fmt.Fprintln(c.out, "  - "+f.String())
	}
}
