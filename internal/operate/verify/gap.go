package verify

import (
	"fmt"
	"maps"
	"slices"

	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

// gap collects consecutive records that have the same difference into one
// Finding.
type gap struct {
	kind      Kind
	hop, what string
	open      Finding
}

// extend adds p to the gap if p differs, and otherwise closes the gap.
func (g *gap) extend(r *Report, p pack.Line, differs bool) {
	if differs {
		g.add(p)
	} else {
		g.close(r)
	}
}

func (g *gap) add(p pack.Line) {
	if g.open.Records == 0 {
		g.open = Finding{Kind: g.kind, Hop: g.hop, LoggedAt: p.LoggedAt, FirstSequence: p.FirstSequence}
	}
	g.open.Bytes += int64(p.Bytes)
	g.open.Records += p.Records
	g.open.LastSequence = p.LastSequence
	if p.Hash != 0 {
		g.open.Packed++
	}
}

// close reports the gap, if it has records.
func (g *gap) close(r *Report) {
	if g.open.Records == 0 {
		return
	}
	amount := counted(g.open.Records, "record") + ", " + counted(g.open.Bytes, "byte")
	if g.open.Packed > 0 {
		amount += fmt.Sprintf(" in %s logged from %s on", counted(g.open.Packed, "packed record"), stamp(g.open.LoggedAt))
	}
	g.open.Detail = amount + ": " + g.what
	r.find(g.open)
	g.open = Finding{}
}

// counted returns a number with a noun.
func counted[N int | int64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprint(n, " ", noun)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
