package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// print writes an outcome as text.
func (o Outcome) print(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nsimulation: %s; throttleRate=%d\n\n", o.what(), o.Scenario.ThrottleRate)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { _, _ = fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("longest backlog", "%s records, %s MiB; of one stream %s MiB", commas(o.PeakRecords), commas(o.PeakMiB), commas(o.PeakStreamMiB))
	row("cache memory", "%.0f %% of the fullest node", o.PeakMemory*100)
	if o.Drained {
		row("drained", "%v after the end", o.DrainedAfter)
	} else {
		row("drained", "not within a day: %s records wait; give the streams more shards", commas(o.Queued))
	}
	row("not on the tap", "%s direct records", commas(o.Archived))
	row("refused", "%s records with 429 (throttleRate)", commas(o.Throttled))
	row("to queue all", "%s", o.holds())
	if err := w.Flush(); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

func (o Outcome) what() string {
	var events []string
	if o.Scenario.Burst > 0 {
		events = append(events, fmt.Sprintf("%g times the rate for %s", o.Scenario.Burst, plain(o.Scenario.BurstFor)))
	}
	if o.Scenario.Outage > 0 {
		events = append(events, fmt.Sprintf("Kinesis accepts nothing for %s", plain(o.Scenario.Outage)))
	}
	what := strings.Join(events, " while ")
	if o.Scenario.MaxBacklogMiB > 0 {
		what += fmt.Sprintf(", maxBacklogMiB %d", o.Scenario.MaxBacklogMiB)
	}
	return what
}

// plain returns a duration without zeros at the end.
func plain(d time.Duration) string {
	s := strings.TrimSuffix(d.String(), "0s")
	if s == "" || !strings.ContainsAny(s[len(s)-1:], "hm") {
		return d.String()
	}
	if short := strings.TrimSuffix(s, "0m"); strings.HasSuffix(short, "h") {
		return short
	}
	return s
}

// holds returns the settings with which all records would go through the queue.
func (o Outcome) holds() string {
	node := "cacheNodeType=" + o.HoldsNode
	if o.HoldsNode == "" {
		node = "more cacheShards"
	}
	return fmt.Sprintf(`%s; "maxBacklogMiB": 0, or %s for the busiest stream`, node, commas(o.HoldsMiB))
}
