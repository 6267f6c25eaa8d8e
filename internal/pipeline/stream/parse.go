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
	Streams []Stream `json:"streams" jsonschema:"minItems=1" jsonschema_description:"The streams of the deployment, in any order."`
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

// Parse reads a streams.json. Its error lists every problem on one line with its
// path, as in `streams[1].name: …`.
func Parse(b []byte) (*Set, error) {
	entries, problems := decode(b)
	set := &Set{byName: make(map[string]Stream, len(entries))}
	firstAt := make(map[string]int)
	for i, entry := range entries {
		at := fmt.Sprintf("streams[%d]", i)
		s, valid, found := parseEntry(at, entry)
		problems = append(problems, found...)
		if !valid {
			continue
		}
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

// byteOrderMark is U+FEFF in UTF-8, which some editors write at the beginning.
var byteOrderMark = []byte("\ufeff")

// decode returns the entries of the file, without looking into them, and the
// problems around them.
func decode(b []byte) (entries []json.RawMessage, problems []error) {
	b, marked := bytes.CutPrefix(b, byteOrderMark)
	if marked {
		problems = append(problems, errors.New("begins with a byte order mark: save the file as UTF-8 without one"))
	}
	fields, err := object(b)
	if err != nil {
		return nil, append(problems, err)
	}
	for _, name := range duplicateFields(b) {
		problems = append(problems, fmt.Errorf("%s: duplicate field", shown(name)))
	}
	for _, name := range sortedKeys(fields) {
		if name != "$schema" && name != "streams" {
			problems = append(problems, fmt.Errorf("%s: unknown field", shown(name)))
		}
	}
	var schema *string
	if value, given := fields["$schema"]; given && (json.Unmarshal(value, &schema) != nil || schema == nil) {
		problems = append(problems, errors.New("$schema: want a string"))
	}
	list, given := fields["streams"]
	switch err := json.Unmarshal(list, &entries); {
	case !given:
		problems = append(problems, errors.New("streams: missing: want a list"))
	case err != nil:
		problems = append(problems, errors.New("streams: want a list"))
	case len(entries) == 0:
		problems = append(problems, errors.New("streams: want at least one stream"))
	}
	return entries, problems
}

// parseEntry returns an entry with all of its problems. valid reports whether its
// name can be compared with the names of other entries.
func parseEntry(at string, entry json.RawMessage) (s Stream, valid bool, problems []error) {
	fields, err := object(entry)
	if err != nil {
		return Stream{}, false, []error{fmt.Errorf("%s: %w", at, err)}
	}
	problems, invalid := checkFields(at, entry, fields, &s)
	for _, p := range s.validate() {
		// A field of another type is missing in s, which is not a further problem.
		if !invalid[p.field] {
			problems = append(problems, fmt.Errorf("%s.%s: %w", at, p.field, p.err))
		}
	}
	return s, s.Name != "", problems
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

// checkFields decodes the fields of one entry into s. It returns a problem for each
// field that cannot be decoded, and the names of these fields.
func checkFields(at string, entry json.RawMessage, fields map[string]json.RawMessage, s *Stream) (problems []error, invalid map[string]bool) {
	invalid = make(map[string]bool)
	for _, name := range duplicateFields(entry) {
		problems = append(problems, fmt.Errorf("%s.%s: duplicate field", at, shown(name)))
	}
	for _, name := range sortedKeys(fields) {
		if err := decodeField(name, fields[name], s); err != nil {
			problems = append(problems, fmt.Errorf("%s.%s: %w", at, shown(name), err))
			invalid[name] = true
		}
	}
	return problems, invalid
}

// decodeField decodes one field into s.
func decodeField(name string, value json.RawMessage, s *Stream) error {
	one, err := json.Marshal(map[string]json.RawMessage{name: value})
	if err != nil {
		return err
	}
	var mismatch *json.UnmarshalTypeError
	var noTap *tapError
	switch err := strict(one, s); {
	case err == nil && !slices.Contains(fieldNames, name):
		return errors.New("unknown field: names are case sensitive")
	case err == nil && isEmpty(name, value):
		return fmt.Errorf("%s: omit the field to use its default", value)
	case errors.As(err, &noTap):
		return noTap
	case errors.As(err, &mismatch):
		return fmt.Errorf("is a JSON %.80s: want %s", mismatch.Value, kindName(mismatch.Type.Kind()))
	case err != nil:
		return errors.New("unknown field")
	}
	return nil
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
