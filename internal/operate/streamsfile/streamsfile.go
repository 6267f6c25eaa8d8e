// Package streamsfile edits a streams.json without changing the formatting of the
// rest of the file.
package streamsfile

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/go-json-experiment/json/jsontext"
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
	if n := len(list.elements); n > 0 {
		added = list.insert(content, spread(content, list.elements[n-1], entry))
	} else {
		added = list.insertFirst(content, entry)
	}
	return parsed(added)
}

// Retire returns the content of a streams.json with "retired": true in the entry of a
// stream: in place if the entry has the field, otherwise after the last field and
// formatted like it. The error lists the problems that stream.Parse finds in the content.
func Retire(content []byte, name string) ([]byte, error) {
	set, err := stream.Parse(content)
	if err != nil {
		return nil, err
	}
	switch s, ok := set.Lookup(name); {
	case !ok:
		return nil, fmt.Errorf("%s: no such stream", name)
	case s.Retired:
		return nil, fmt.Errorf("%s: the stream is retired already", name)
	}
	list, err := find(content)
	if err != nil {
		return nil, err
	}
	for _, e := range list.elements {
		var s stream.Stream
		if err := json.Unmarshal(content[e.value:e.end], &s); err != nil {
			return nil, err
		}
		if s.Name != name {
			continue
		}
		entry, err := read(content, e.value)
		if err != nil {
			return nil, err
		}
		if field, ok := entry.field("retired"); ok {
			return parsed(join(content[:field.value], []byte("true"), content[field.end:]))
		}
		return parsed(entry.insert(content, []byte(`"retired": true`)))
	}
	return nil, fmt.Errorf("%s: no such stream", name)
}

// parsed returns the content, or the problems that stream.Parse finds in it.
func parsed(content []byte) ([]byte, error) {
	if _, err := stream.Parse(content); err != nil {
		return nil, err
	}
	return content, nil
}

// compact encodes a stream on one line, with a space after each colon and comma.
func compact(s stream.Stream) ([]byte, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	entry := jsontext.Value(text)
	err = entry.Format(jsontext.SpaceAfterColon(true), jsontext.SpaceAfterComma(true), jsontext.PreserveRawStrings(false))
	return entry, err
}

// spread returns an entry with each field on its own line, indented like the fields of
// the entry like, unless that one is on one line.
func spread(content []byte, like element, entry []byte) []byte {
	_, inner, ok := bytes.Cut(content[like.begin:like.end], []byte("\n"))
	if !ok {
		return entry
	}
	outer := indentOf(content, like.begin)
	step := bytes.TrimPrefix(leadingSpace(inner), outer)
	var b bytes.Buffer
	if json.Indent(&b, entry, string(outer), string(step)) != nil {
		return entry // Not reached: the entry is valid JSON.
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("\n"), lineEnd(content))
}

// indentOf returns the white space at the start of the line that contains at.
func indentOf(content []byte, at int) []byte {
	return leadingSpace(content[bytes.LastIndexByte(content[:at], '\n')+1 : at])
}

func leadingSpace(line []byte) []byte { return line[:len(line)-len(bytes.TrimLeft(line, " \t"))] }

func lineEnd(content []byte) []byte {
	if bytes.Contains(content, []byte("\r\n")) {
		return []byte("\r\n")
	}
	return []byte("\n")
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
