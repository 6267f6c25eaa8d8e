package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// exit is the exit code of a verb that has already printed the reason.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// printJSON writes one JSON document.
func printJSON(w io.Writer, v any) error { return encode(w, v, "  ") }

// printLine writes one JSON document on one line.
func printLine(w io.Writer, v any) error { return encode(w, v, "") }

// encode writes JSON in which all control characters are escaped, also those that
// JSON does not require to be.
func encode(w io.Writer, v any, indent string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return err
	}
	var escaped strings.Builder
	for _, r := range b.String() {
		if r != '\n' && isControl(r) {
			fmt.Fprintf(&escaped, "\\u%04x", r)
		} else {
			escaped.WriteRune(r)
		}
	}
	_, err := io.WriteString(w, escaped.String())
	return err
}

// printTable writes rows in aligned columns below a row of heads.
func printTable(w io.Writer, heads []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{heads}, rows...) {
		if _, err := fmt.Fprintln(t, strings.TrimRight(strings.Join(row, "\t"), "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}

// counted formats a count and its noun, such as "1 record" or "2 records".
func counted[T int | int64](n T, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// bytesText formats a number of bytes with a decimal unit.
func bytesText(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB"} {
		if value /= 1000; value < 999.95 || unit == "TB" {
			return fmt.Sprintf("%.1f %s", value, unit)
		}
	}
	return ""
}

// ageText formats a duration with its two largest units.
func ageText(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}

// textOf returns bytes as one line of text, truncated to most bytes and without
// control characters.
func textOf(b []byte, most int) string {
	cut := ""
	if len(b) > most {
		b, cut = b[:most], "…"
	}
	if !isText(b) && cut == "" {
		return fmt.Sprintf("(%d bytes, binary)", len(b))
	}
	return strings.Map(func(r rune) rune {
		if isControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(b), "�")) + cut
}

// progress holds the flag of the verbs that show a progress bar.
type progress struct {
	Progress string `group:"output" enum:"auto,always,never" default:"auto" help:"Show a progress bar; auto shows it if standard error is a terminal."`
}

// bar returns a progress bar for total units, or for an unknown number if total is
// 0. If bytes is set, the units are bytes.
func (p *progress) bar(c console, title string, total int64, bytes bool) *bar {
	if p.Progress == "never" || p.Progress == "auto" && !isTerminal(c.err) {
		return &bar{}
	}
	options := []mpb.ContainerOption{mpb.WithOutput(rawWriter(c.err)), mpb.WithWidth(100), mpb.WithRefreshRate(200 * time.Millisecond)}
	if p.Progress == "always" {
		options = append(options, mpb.WithAutoRefresh())
	}
	b := &bar{container: mpb.New(options...), known: total > 0}
	count := func(s decor.Statistics) string {
		text := func(n int64) string { return fmt.Sprint(n) }
		if bytes {
			text = bytesText
		}
		if !b.known {
			return text(s.Current)
		}
		return text(s.Current) + " / " + text(s.Total)
	}
	after := []decor.Decorator{
		decor.Any(func(decor.Statistics) string { return b.text() }, decor.WCSyncSpace),
		decor.Elapsed(decor.ET_STYLE_MMSS, decor.WC{W: 6}),
	}
	if bytes {
		after = append(after, decor.AverageSpeed(decor.SizeB1000(0), " % .1f"))
	}
	if b.known {
		after = append(after, decor.OnComplete(decor.Name(" left "), ""), decor.OnComplete(decor.AverageETA(decor.ET_STYLE_MMSS), ""))
	}
	// A terminal echoes Ctrl-C at the cursor, so each line starts with a carriage return.
	b.bar = b.container.AddBar(total,
		mpb.PrependDecorators(decor.Name("\r"+printable(title)), decor.Any(count, decor.WCSyncSpace)),
		mpb.AppendDecorators(after...),
	)
	return b
}
