// Package streamsfile edits a streams.json as a person would: what stands there
// keeps its form.
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

// Add returns the content of a streams.json with one more entry, behind the last
// one and written like it. The error says what stream.Parse has against the
// content, as it is or with the entry.
func Add(content []byte, s stream.Stream) ([]byte, error) {
	if _, err := stream.Parse(content); err != nil {
		return nil, err
	}
	list, err := find(content)
	if err != nil {
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

// AddToFile is Add for a file, which is replaced in one go. It returns the line
// that was added.
func AddToFile(path string, s stream.Stream) (entry string, err error) {
	// The file itself, not a link to it, is to be replaced.
	path, err = filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("reading streams: %w", err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading streams: %w", err)
	}
	added, err := Add(content, s)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	text, err := compact(s)
	if err != nil {
		return "", err
	}
	return string(text), replace(path, added)
}

// replace writes a file whole or not at all, with the mode that it has.
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

// compact writes an entry on one line, as the repository's own streams.json does.
func compact(s stream.Stream) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return nil, err
	}
	// One space behind each colon and comma outside of strings.
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

// list is where the list of streams stands in the content.
type list struct {
	open    int // position behind its bracket
	close   int // position of its other bracket
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
		if _, err := d.Token(); err != nil { // the bracket
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

// next puts an entry behind the last one, with what stands between the last two,
// or before the only one.
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

// first puts an entry into an empty list: on a line of its own, if the file has
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

// indentOf is the white space with which the line of a position begins.
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

// isSpread reports whether an entry has a line for each field.
func isSpread(entry []byte) bool { return bytes.IndexByte(entry, '\n') >= 0 }

// spread gives each field of an entry a line of its own, indented like those of
// another entry.
func spread(entry, indent, like []byte) []byte {
	inner := like[bytes.IndexByte(like, '\n')+1:]
	inner = inner[:len(inner)-len(bytes.TrimLeft(inner, " \t"))]
	step := bytes.TrimPrefix(inner, indent)
	var b bytes.Buffer
	if json.Indent(&b, entry, string(indent), string(step)) != nil {
		return entry // It was encoded just now.
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("\n"), lineEnd(like))
}
