// Package logline reads log lines that slog has written, on its own or in Lambda.
package logline

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Line is a log line.
type Line struct {
	// LoggedAt is when the line was written. It is zero if the line does not say so.
	LoggedAt time.Time

	attributes map[string]string
}

// Parse reads a line if it has the message, and reports whether it does. The line is
// JSON, with slog's or Lambda's names for time and message, or has slog's text form.
// Of a line in text form, Parse reads only attributes without spaces.
func Parse(text []byte, message string) (l Line, ok bool) {
	if !bytes.Contains(text, []byte(message)) {
		return Line{}, false
	}
	if l.attributes, ok = parseJSON(text); !ok {
		l.attributes = parseText(string(text))
	}
	if l.Text("msg") != message && l.Text("message") != message {
		return Line{}, false
	}
	// A malformed time stays zero.
	l.LoggedAt, _ = time.Parse(time.RFC3339Nano, cmp.Or(l.Text("time"), l.Text("timestamp")))
	return l, true
}

// Text returns an attribute, which is empty if the line does not have it.
func (l Line) Text(name string) string { return l.attributes[name] }

// Number returns an attribute that is a whole number. It is 0 if the line does not
// have it, or if it is malformed.
func (l Line) Number(name string) int {
	n, _ := strconv.Atoi(l.attributes[name])
	return n
}

func parseJSON(text []byte) (attributes map[string]string, ok bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return nil, false
	}
	attributes = make(map[string]string, len(members))
	for name, value := range members {
		var s string
		if json.Unmarshal(value, &s) != nil {
			s = string(value) // not a string
		}
		attributes[name] = s
	}
	return attributes, true
}

// parseText reads key=value pairs. slog quotes some values, such as one with an equals
// sign.
func parseText(text string) map[string]string {
	attributes := make(map[string]string)
	for pair := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(pair, "=")
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
		attributes[name] = value
	}
	return attributes
}
