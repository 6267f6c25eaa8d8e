package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/operate/verify"
)

// printReport writes a report as text. A report without a queue is of a queue that could
// not be inspected.
func printReport(out io.Writer, r *verify.Report) {
	fmt.Fprintf(out, "%s, %s to %s UTC\n", r.Stream, r.From.Format(time.DateTime), r.To.Format(time.DateTime))
	var rows [][]string
	row := func(hop string, text string, args ...any) {
		rows = append(rows, []string{"  " + hop, fmt.Sprintf(text, args...)})
	}
	if q := r.Queue; q == nil {
		row("queue", "unknown")
	} else {
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
		fmt.Fprintf(out, "%-*s  %s\n", width, row[0], row[1])
	}
	switch {
	case !r.Equal():
		fmt.Fprintf(out, "  %s:\n", counted(len(r.Findings), "difference"))
	case r.Queue == nil:
		fmt.Fprintln(out, "  equal, but the queue is unknown")
	case r.Queue.Reset:
		fmt.Fprintln(out, "  equal, but Redis began empty in this period, as the Redis of datasink dev does at each start: records that an earlier Redis held were not compared")
	default:
		fmt.Fprintln(out, "  equal")
	}
	for _, f := range r.Findings {
		fmt.Fprintln(out, "  - "+f.String())
	}
}
