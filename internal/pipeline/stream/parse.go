package stream

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// File is the whole of streams.json.
type File struct {
	// Schema is the path of the JSON Schema, for editors.
	Schema string `json:"$schema,omitempty" jsonschema_description:"Path of the JSON Schema of this file."`
	// Streams lists the streams in any order.
	Streams []Stream `json:"streams" jsonschema_description:"The streams of the deployment, in any order."`
}

// Schema is the JSON Schema of File.
//
//go:embed schema.json
var Schema []byte

// Load reads the streams.json at path.
func Load(path string) (*Set, error) {
	b, err := os.ReadFile(path) // #nosec G304 -- the path comes from the operator.
	if err != nil {
		return nil, fmt.Errorf("reading streams: %w", err)
	}
	set, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return set, nil
}

// Parse reads a streams.json. Its error lists each problem on one line with its
// path, as in `streams[1].name: …`.
func Parse(b []byte) (*Set, error) {
	file, problems := decode(b)
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	set := &Set{byName: make(map[string]Stream, len(file.Streams))}
	firstAt := make(map[string]int)
	for i, s := range file.Streams {
		at := fmt.Sprintf("streams[%d]", i)
		problems = append(problems, s.validate(at)...)
		if first, taken := firstAt[s.Name]; taken {
			problems = append(problems, fmt.Errorf("%s.name: %.*q is also the name of streams[%d]", at, maxShown, s.Name, first))
			continue
		}
		firstAt[s.Name] = i
		s = s.withDefaults()
		set.inOrder = append(set.inOrder, s)
		set.byName[s.Name] = s
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return set, nil
}

// decode reads the entries one by one, so that a problem in one entry does not
// hide the problems of the others.
func decode(b []byte) (File, []error) {
	fields, err := object(b)
	if err != nil {
		return File{}, []error{err}
	}
	var problems []error
	for _, name := range duplicateFields(b) {
		problems = append(problems, fmt.Errorf("%s: duplicate field", shown(name)))
	}
	for _, name := range sortedKeys(fields) {
		if name != "$schema" && name != "streams" {
			problems = append(problems, fmt.Errorf("%s: unknown field", shown(name)))
		}
	}
	var file File
	if schema, given := fields["$schema"]; given && (json.Unmarshal(schema, &file.Schema) != nil || string(schema) == "null") {
		problems = append(problems, errors.New("$schema: want a string"))
	}
	var entries []json.RawMessage
	if list, given := fields["streams"]; given && json.Unmarshal(list, &entries) != nil {
		return File{}, append(problems, errors.New("streams: want a list"))
	}
	if entries == nil {
		return File{}, append(problems, errors.New("streams: missing, want a list"))
	}
	for i, entry := range entries {
		var s Stream
		problems = append(problems, checkFields(fmt.Sprintf("streams[%d]", i), entry, &s)...)
		file.Streams = append(file.Streams, s)
	}
	return file, problems
}

// object decodes one JSON object. Its field names are case sensitive, unlike
// those of a struct.
func object(b []byte) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	var mismatch *json.UnmarshalTypeError
	switch err := strict(b, &fields); {
	case errors.As(err, &mismatch), err == nil && fields == nil:
		return nil, errors.New("want an object")
	case err != nil:
		return nil, err
	}
	return fields, nil
}

// checkFields decodes one entry and returns a problem for each invalid field.
func checkFields(at string, entry json.RawMessage, s *Stream) []error {
	fields, err := object(entry)
	if err != nil {
		return []error{fmt.Errorf("%s: %w", at, err)}
	}
	var problems []error
	for _, name := range duplicateFields(entry) {
		problems = append(problems, fmt.Errorf("%s.%s: duplicate field", at, shown(name)))
	}
	for _, name := range sortedKeys(fields) {
		one, err := json.Marshal(map[string]json.RawMessage{name: fields[name]})
		if err != nil {
			return append(problems, fmt.Errorf("%s.%s: %w", at, shown(name), err))
		}
		var mismatch *json.UnmarshalTypeError
		switch err := strict(one, s); {
		case err == nil && !slices.Contains(fieldNames, name):
			problems = append(problems, fmt.Errorf("%s.%s: unknown field: names are case sensitive", at, shown(name)))
		case err == nil && isEmpty(name, fields[name]):
			problems = append(problems, fmt.Errorf("%s.%s: %s: omit the field to use its default", at, name, fields[name]))
		case errors.As(err, &mismatch):
			problems = append(problems, fmt.Errorf("%s.%s: is a JSON %.80s: want %s", at, name, mismatch.Value, kindName(mismatch.Type.Kind())))
		case err != nil:
			problems = append(problems, fmt.Errorf("%s.%s: unknown field", at, shown(name)))
		}
	}
	return problems
}

// shown returns a field's name in a form that is safe in one line of an error.
func shown(name string) string {
	if strings.Trim(strings.ToLower(name), lower+digits+"$_-") == "" && name != "" && len(name) <= maxShown {
		return name
	}
	return fmt.Sprintf("%.*q", maxShown, name)
}

// isEmpty reports whether the file states a value that means the same as no value.
func isEmpty(name string, value json.RawMessage) bool {
	switch string(value) {
	case "null":
		return true
	case `""`:
		return name != "name" // validate has a better message
	case "0":
		return name != "maxBacklogMiB" // where 0 means no bound
	}
	return false
}

// strict decodes one JSON value. It refuses unknown fields and trailing data.
func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			line := 1 + bytes.Count(b[:min(int(syntax.Offset), len(b))], []byte("\n"))
			return fmt.Errorf("line %d: %w", line, err)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.New("unexpected end of the JSON value")
		}
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("data after the JSON value")
	}
	return nil
}
