package page

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// The box of a plot, in units of its SVG.
const (
	plotWidth  = samples
	plotHeight = 80
)

// plot is a diagram of the last minutes: one or two lines, with an axis that begins
// at 0.
type plot struct {
	ID, Title, Lead, Label string
	Lines                  []line
	Top                    string // the value at the upper edge
}

// line is one line of a plot, as the points of SVG polylines.
type line struct{ Name, Now, Class, Points, Area string }

// trace is a name and values to be drawn as a line.
type trace struct {
	name   string
	values []float32
}

// draw returns a plot. format returns a value with its unit.
func draw(id, title, lead, about string, format func(float64) string, traces ...trace) plot {
	p := plot{ID: id, Title: title, Lead: lead}
	most := 0.0
	for _, t := range traces {
		for _, v := range t.values {
			most = max(most, float64(v))
		}
	}
	top := roundUp(most)
	p.Top = format(top)
	label := fmt.Sprintf("%s of %s over the last %d minutes", title, about, minutes)
	for i, t := range traces {
		now := 0.0
		if n := len(t.values); n > 0 {
			now = float64(t.values[n-1])
		}
		l := line{Name: t.name, Now: format(now), Class: fmt.Sprintf("line line%d", i+1), Points: points(t.values, top, plotHeight)}
		if l.Points != "" {
			first := plotWidth - len(t.values)
			l.Area = fmt.Sprintf("%d,%d %s %d,%d", first, plotHeight, l.Points, plotWidth-1, plotHeight)
		}
		p.Lines = append(p.Lines, l)
		label += fmt.Sprintf("; %s now %s", t.name, l.Now)
	}
	p.Label = label + "; at most " + format(most)
	return p
}

// points returns the points of a polyline in a box of the given height, whose upper
// edge is the value top. The newest value is at the right edge. A run of equal
// values takes two points.
func points(values []float32, top float64, height int) string {
	var b strings.Builder
	first := plotWidth - len(values)
	for i, v := range values {
		if i > 0 && i < len(values)-1 && v == values[i-1] && v == values[i+1] {
			continue
		}
		fmt.Fprintf(&b, "%d,%.1f ", first+i, float64(height)*(1-float64(v)/top))
	}
	return strings.TrimSpace(b.String())
}

// roundUp returns the next of 1, 2, 5, 10 and so on, also below 1.
func roundUp(v float64) float64 {
	if v <= 0 {
		return 1
	}
	scale := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range []float64{1, 2, 5} {
		if v <= step*scale {
			return step * scale
		}
	}
	return 10 * scale
}

// count returns a number with commas.
func count[N int | int64](n N) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func records(v float64) string {
	if v < 10 && v != math.Trunc(v) {
		return fmt.Sprintf("%.1f", v)
	}
	return count(int64(math.Round(v)))
}

func perSecond(v float64) string { return records(v) + "/s" }

// seconds returns a duration with its unit. A duration of 0 means that there is none.
func seconds(v float64) string {
	switch d := time.Duration(v * float64(time.Second)); {
	case d == 0:
		return "–"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	default:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
}

func byteSize(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	default:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
}
