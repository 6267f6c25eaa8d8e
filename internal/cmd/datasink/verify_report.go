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
		row("queue", "%d accepted since Redis started: %d queued, %d claimed, %d forwarded, %s", q.Accepted, q.Queued, q.Claimed, q.Forwarded, counted(q.DeadLettered, "dead letter"))
	}
	if r.Tap != nil {
		row("tap", "%s, %s; %d not sent by the bridge yet, %s", counted(r.Tap.Records, "record"), bytesText(r.Tap.Bytes), r.TapInFlight.Records, counted(r.DeadLettered.Records, "dead letter"))
	}
	packed := func(hop string, n verify.Count) {
		row(hop, "%s, %s, in %s", counted(n.Records, "record"), bytesText(n.Bytes), counted(n.Packed, "packed record"))
	}
	if r.Drained.Packed > 0 {
		packed("drainer", r.Drained)
	}
	if r.Bridged.Packed > 0 || r.Drained.Packed == 0 {
		packed("bridge", r.Bridged)
	}
	row("archive", "%s, %s; %d in flight; %s read", counted(r.Archived.Records, "record"), bytesText(r.Archived.Bytes), r.InFlight.Records, counted(r.Read.Objects, "object"))
	if r.Unsettled > 0 {
		row("", "%s in objects that are so new that the log may not have them yet", bytesText(r.Unsettled))
	}
	if n := len(r.DirectUnlogged); n > 0 {
		row("", "%s without a line in ingest's log: the client may have got no answer", counted(n, "direct record"))
	}
	for _, why := range slices.Sorted(maps.Keys(r.Direct)) {
		row(string(why), "%s, %s, in %s", counted(r.Direct[why].Records, "record"), bytesText(r.Direct[why].Bytes), counted(r.Direct[why].Objects, "object"))
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
