// Package streamsfile edits a streams.json without changing the formatting of the
// rest of the file.
package streamsfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Add returns the content of a streams.json with an entry added after the last one
// and formatted like it. The content can have an empty list. The error lists the
// problems that stream.Parse finds in the content with the entry, or without it if
// the list cannot be found.
func Add(content []byte, s stream.Stream) ([]byte, error) {
	list, err := find(content)
	if err != nil {
		if _, problems := stream.Parse(content); problems != nil {
			return nil, problems
		}
		return nil, err
	}
	entry, err := compact(s)
	if err != nil {
		return nil, err
	}
	var added []byte
	if len(list.entries) == 0 {
		added = list.first(content, entry)
	} else {
		added = list.next(content, entry)
	}
	if _, err := stream.Parse(added); err != nil {
		return nil, err
	}
	return added, nil
}

// AddToFile adds an entry to a file, which it replaces atomically. It returns the
// text of the entry.
func AddToFile(path string, s stream.Stream) (entry string, err error) {
	text, err := compact(s)
	if err != nil {
		return "", err
	}
	return string(text), edit(path, func(content []byte) ([]byte, error) { return Add(content, s) })
}

// edit replaces the content of a file by the result of change.
func edit(path string, change func(content []byte) ([]byte, error)) error {
	// Replace the file, not a symbolic link to it.
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("reading streams: %w", err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading streams: %w", err)
	}
	changed, err := change(content)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return replace(path, changed)
}

// replace writes a file atomically and keeps its mode.
func replace(path string, content []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("writing streams: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".streams-*.json")
	if err != nil {
		return fmt.Errorf("writing streams: %w", err)
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("writing streams: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// compact encodes an entry on one line, with a space after each colon and comma.
func compact(s stream.Stream) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return nil, err
	}
	// Add the spaces outside of strings.
	var spaced bytes.Buffer
	inString, escaped := false, false
	for _, c := range bytes.TrimSpace(b.Bytes()) {
		spaced.WriteByte(c)
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case !inString && (c == ':' || c == ','):
			spaced.WriteByte(' ')
		}
	}
	return spaced.Bytes(), nil
}

// list is the position of the list of streams in the content.
type list struct {
	open    int // position after the opening bracket
	close   int // position of the closing bracket
	entries []span
}

type span struct{ begin, end int }

// find finds the list of streams.
func find(content []byte) (list, error) {
	d := json.NewDecoder(bytes.NewReader(content))
	if _, err := d.Token(); err != nil {
		return list{}, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return list{}, err
		}
		if name != "streams" {
			var other json.RawMessage
			if err := d.Decode(&other); err != nil {
				return list{}, err
			}
			continue
		}
		if _, err := d.Token(); err != nil { // the opening bracket
			return list{}, err
		}
		l := list{open: int(d.InputOffset())}
		for d.More() {
			var entry json.RawMessage
			if err := d.Decode(&entry); err != nil {
				return list{}, err
			}
			end := int(d.InputOffset())
			l.entries = append(l.entries, span{end - len(entry), end})
		}
		if _, err := d.Token(); err != nil {
			return list{}, err
		}
		l.close = int(d.InputOffset()) - 1
		return l, nil
	}
	return list{}, io.ErrUnexpectedEOF
}

// next inserts an entry after the last one. The separator is the text between the
// last two entries, or the text before the only entry.
func (l list) next(content, entry []byte) []byte {
	last := l.entries[len(l.entries)-1]
	between := content[l.open:last.begin]
	separator := append([]byte(","), between...)
	if n := len(l.entries); n > 1 {
		separator = content[l.entries[n-2].end:last.begin]
	} else if len(between) == 0 {
		separator = []byte(", ")
	}
	if isSpread(content[last.begin:last.end]) {
		entry = spread(entry, indentOf(content, last.begin), content[last.begin:last.end])
	}
	return join(content[:last.end], separator, entry, content[last.end:])
}

// first inserts an entry into an empty list, on its own line if the file has several
// lines.
func (l list) first(content, entry []byte) []byte {
	if !bytes.Contains(content[:l.open], []byte("\n")) {
		return join(content[:l.open], entry, content[l.close:])
	}
	outer := indentOf(content, l.open)
	newline := lineEnd(content)
	return join(content[:l.open], newline, outer, outer, entry, newline, outer, content[l.close:])
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// indentOf returns the white space at the start of the line that contains at.
func indentOf(content []byte, at int) []byte {
	line := content[bytes.LastIndexByte(content[:at], '\n')+1 : at]
	return line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
}

func lineEnd(content []byte) []byte {
	if bytes.Contains(content, []byte("\r\n")) {
		return []byte("\r\n")
	}
	return []byte("\n")
}

// isSpread reports whether an entry has each field on its own line.
func isSpread(entry []byte) bool { return bytes.IndexByte(entry, '\n') >= 0 }

// spread puts each field of an entry on its own line, indented like the fields of
// the entry like.
func spread(entry, indent, like []byte) []byte {
	inner := like[bytes.IndexByte(like, '\n')+1:]
	inner = inner[:len(inner)-len(bytes.TrimLeft(inner, " \t"))]
	step := bytes.TrimPrefix(inner, indent)
	var b bytes.Buffer
	if json.Indent(&b, entry, string(indent), string(step)) != nil {
		return entry // Not reached: the entry is valid JSON.
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("\n"), lineEnd(like))
}
