package streamsfile

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json/jsontext"
)

// group is the place of an array or an object in the content.
type group struct {
	open, close int // after the opening bracket or brace, and before the closing one
	elements    []element
}

// element is the place of an element of an array or of a field of an object.
type element struct {
	name string // of a field
	// begin is where the element, or the name of the field, begins; value is where the
	// element, or the value of the field, begins; end is where both end.
	begin, value, end int
}

// find returns the place of the list of streams.
func find(content []byte) (group, error) {
	file, err := read(content, 0)
	if err != nil {
		return group{}, err
	}
	streams, ok := file.field("streams")
	if !ok {
		return group{}, errors.New("streams: missing")
	}
	return read(content, streams.value)
}

// read returns the place of the array or object that begins at a position.
func read(content []byte, at int) (group, error) {
	d := jsontext.NewDecoder(bytes.NewReader(content[at:]), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	position := func() int { return at + int(d.InputOffset()) }
	opening, err := d.ReadToken()
	if err != nil {
		return group{}, err
	}
	isObject := opening.Kind() == '{'
	if !isObject && opening.Kind() != '[' {
		return group{}, errors.New("streams: want an array of objects")
	}
	g := group{open: position()}
	for d.PeekKind() != ']' && d.PeekKind() != '}' {
		var e element
		text, err := d.ReadValue()
		e.begin = position() - len(text)
		if isObject && err == nil {
			name, _ := jsontext.AppendUnquote(nil, text) // The decoder has checked it.
			e.name = string(name)
			text, err = d.ReadValue()
		}
		if err != nil {
			return group{}, err
		}
		e.value, e.end = position()-len(text), position()
		g.elements = append(g.elements, e)
	}
	_, err = d.ReadToken()
	g.close = position() - 1
	return g, err
}

// field returns the field of that name. If an object has several, the last one counts.
func (g group) field(name string) (found element, ok bool) {
	for _, e := range g.elements {
		if e.name == name {
			found, ok = e, true
		}
	}
	return found, ok
}

// insert inserts a text after the last element. The separator is the text between the
// last two elements, or the text before the only one.
func (g group) insert(content, text []byte) []byte {
	n := len(g.elements)
	last := g.elements[n-1]
	separator := join([]byte(","), content[g.open:last.begin])
	switch {
	case n > 1:
		separator = content[g.elements[n-2].end:last.begin]
	case len(separator) == 1:
		separator = []byte(", ")
	}
	return join(content[:last.end], separator, text, content[last.end:])
}

// insertFirst inserts a text into an empty list, on its own line if the file has several
// lines.
func (g group) insertFirst(content, text []byte) []byte {
	if !bytes.Contains(content[:g.open], []byte("\n")) {
		return join(content[:g.open], text, content[g.close:])
	}
	outer, newline := indentOf(content, g.open), lineEnd(content)
	return join(content[:g.open], newline, outer, outer, text, newline, outer, content[g.close:])
}
