package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vbauerster/mpb/v8/cwriter"
)

// terminal is a writer to a terminal. It replaces every control character other
// than a newline or a tab with U+FFFD, so that text from clients, object keys or
// servers cannot control the terminal. Files and pipes get the exact bytes.
type terminal struct{ file *os.File }

// forTerminal returns f, or a terminal if f is one.
func forTerminal(f *os.File) io.Writer {
	if cwriter.IsTerminal(int(f.Fd())) {
		return terminal{f}
	}
	return f
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	_, ok := w.(terminal)
	return ok
}

// rawWriter returns the writer below w, for the control sequences that the command
// itself writes.
func rawWriter(w io.Writer) io.Writer {
	if t, ok := w.(terminal); ok {
		return t.file
	}
	return w
}

// Write writes p without control characters. It returns len(p) on success.
func (t terminal) Write(p []byte) (int, error) {
	if _, err := t.file.WriteString(printable(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// printable replaces control characters other than newlines and tabs, and invalid
// UTF-8, with U+FFFD. A carriage return before a newline is removed.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && isControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(strings.ReplaceAll(s, "\r\n", "\n"), string(unicode.ReplacementChar)))
}

// isControl reports whether a terminal may interpret a character instead of showing
// it: C0, DEL and C1 controls, bidirectional controls, and line separators.
func isControl(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}

// isText reports whether bytes are UTF-8 without control characters other than
// white space.
func isText(b []byte) bool {
	return utf8.Valid(b) && bytes.IndexFunc(b, func(r rune) bool {
		return r == unicode.ReplacementChar || isControl(r) && r != '\n' && r != '\r' && r != '\t'
	}) < 0
}
