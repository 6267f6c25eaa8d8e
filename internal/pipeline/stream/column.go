package stream

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
)

// ColumnType is the SQL type of a column.
type ColumnType string

// The types of columns.
const (
	String    ColumnType = "string"
	Bigint    ColumnType = "bigint"
	Double    ColumnType = "double"
	Boolean   ColumnType = "boolean"
	Timestamp ColumnType = "timestamp"
)

// Column is a column that SQL queries read from JSON bodies. The archive itself does
// not depend on it.
type Column struct {
	// Name is the name of the column.
	Name string `json:"name" jsonschema:"pattern=^[a-z_][a-z0-9_]{0\\,62}$" jsonschema_description:"Name of the column; not body, dt or hour."`
	// Pointer is a JSON pointer to the value in a body, as in RFC 6901.
	Pointer string `json:"pointer" jsonschema:"pattern=^(/([^/~]|~[01])*)+$,maxLength=200" jsonschema_description:"JSON pointer to the value in a body, such as /customer/id."`
	// Type is the SQL type.
	Type ColumnType `json:"type" jsonschema:"enum=string,enum=bigint,enum=double,enum=boolean,enum=timestamp" jsonschema_description:"SQL type. A value of another type is NULL."`
}

// The forms are compiled when a column is checked first: a function whose streams
// have no columns starts without them.
var (
	columnForm  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`) })
	pointerForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(/([^/~\x00-\x1f]|~[01])*)+$`) })
)

const maxPointer = 200

// Validate returns all problems of a column.
func (c Column) Validate() error {
	var problems []error
	switch {
	case !columnForm().MatchString(c.Name):
		problems = append(problems, fmt.Errorf("name: %.*q: want %s", maxShown, c.Name, columnForm()))
	case slices.Contains([]string{"body", "dt", "hour"}, c.Name):
		problems = append(problems, fmt.Errorf("name: %q is the name of a column that every table has", c.Name))
	}
	if !pointerForm().MatchString(c.Pointer) || len(c.Pointer) > maxPointer {
		problems = append(problems, fmt.Errorf("pointer: %.*q: want a JSON pointer such as /customer/id, of at most %d bytes", maxShown, c.Pointer, maxPointer))
	}
	if types := []ColumnType{String, Bigint, Double, Boolean, Timestamp}; !slices.Contains(types, c.Type) {
		problems = append(problems, fmt.Errorf("type: %.*q: want string, bigint, double, boolean or timestamp", maxShown, c.Type))
	}
	return errors.Join(problems...)
}

// validateColumns returns the problems of a list of columns.
func validateColumns(columns []Column) []error {
	var problems []error
	names := make(map[string]bool)
	for i, c := range columns {
		if err := c.Validate(); err != nil {
			problems = append(problems, fmt.Errorf("[%d]: %w", i, err))
		}
		if names[c.Name] {
			problems = append(problems, fmt.Errorf("[%d].name: %.*q is given twice", i, maxShown, c.Name))
		}
		names[c.Name] = true
	}
	return problems
}
