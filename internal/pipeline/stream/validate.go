package stream

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Limits of Kinesis and Firehose. Sources:
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html
const (
	maxShards         = 500
	minRetentionHours = 24
	maxRetentionHours = 8760
	maxBufferSeconds  = 900
	maxBufferMiB      = 128
	maxBacklogMiB     = 1 << 20
)

// maxShown is the number of characters of a name or value that an error shows.
const maxShown = 80

// fieldProblem is a problem of one field.
type fieldProblem struct {
	field string
	err   error
}

// validate returns the problems of an entry before defaults are applied. A zero
// value means that the file has no such field.
func (s Stream) validate() []fieldProblem {
	var problems []fieldProblem
	problem := func(field, format string, args ...any) {
		problems = append(problems, fieldProblem{field, fmt.Errorf(format, args...)})
	}
	if err := checkName(s.Name); err != nil {
		problem("name", "%w", err)
	}
	oneOf(problem, "format", s.Format, Lines, Raw)
	oneOf(problem, "capacity", s.Capacity, Provisioned, OnDemand)
	oneOf(problem, "compression", s.Compression, Gzip, None)
	oneOf(problem, "overflow", s.Overflow, ToArchive, Refuse)
	between := func(field string, value, low, high int) {
		if value != 0 && (value < low || value > high) {
			problem(field, "%d: want %d to %d", value, low, high)
		}
	}
	between("shards", s.Shards, 1, maxShards)
	between("retentionHours", s.RetentionHours, minRetentionHours, maxRetentionHours)
	between("bufferSeconds", s.BufferSeconds, 1, maxBufferSeconds)
	between("bufferMiB", s.BufferMiB, 1, maxBufferMiB)
	between("maxBacklogMiB", s.MaxBacklogMiB, 1, maxBacklogMiB)
	if err := s.validateExtension(); err != nil {
		problem("extension", "%w", err)
	}
	for _, err := range validateColumns(s.Columns) {
		problem("columns", "%w", err)
	}
	if s.Capacity == OnDemand && s.Shards != 0 {
		problem("shards", "%d: valid only with provisioned capacity", s.Shards)
	}
	ofTap := func(field string, given bool) {
		if given && !s.HasTap() {
			problem(field, "not valid with tap false: there is no Kinesis stream")
		}
	}
	ofTap("capacity", s.Capacity != "")
	ofTap("shards", s.Shards != 0)
	ofTap("retentionHours", s.RetentionHours != 0)
	return problems
}

// ValidateName returns an error if name is not a valid name of a stream.
func ValidateName(name string) error {
	if err := checkName(name); err != nil {
		return fmt.Errorf("stream name: %w", err)
	}
	return nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("missing")
	case !nameForm.matches(name):
		return fmt.Errorf("%.*q: want %s", maxShown, name, nameForm)
	case slices.Contains(reserved, name):
		return fmt.Errorf("%q is reserved: it is a folder of the archive", name)
	}
	return nil
}

func oneOf[T ~string](problem func(field, format string, args ...any), field string, value T, allowed ...T) {
	if value == "" || slices.Contains(allowed, value) {
		return
	}
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = string(a)
	}
	problem(field, "%.*q: want %s", maxShown, value, strings.Join(names, " or "))
}

// fieldNames are the names of an entry's fields.
var fieldNames = func() []string {
	var names []string
	for i := range reflect.TypeFor[Stream]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[Stream]().Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}()

func kindName(kind reflect.Kind) string {
	switch kind {
	case reflect.Int:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	default:
		return "a string"
	}
}

func sortedKeys(m map[string]json.RawMessage) []string {
	return slices.Sorted(maps.Keys(m))
}

// duplicateFields returns the names that occur more than once in an object. Of
// duplicates, encoding/json would silently keep the last.
func duplicateFields(object []byte) []string {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil
	}
	seen := make(map[string]int)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil
		}
		seen[fmt.Sprint(name)]++
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil
		}
	}
	maps.DeleteFunc(seen, func(_ string, n int) bool { return n < 2 })
	return slices.Sorted(maps.Keys(seen))
}
