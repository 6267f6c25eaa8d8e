package sql

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// tokens returns the unescaped parts of a JSON pointer.
func tokens(pointer string) []string {
	parts := strings.Split(pointer, "/")[1:]
	for i := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(parts[i])
	}
	return parts
}

// isIndex reports whether a part of a pointer is the index of an array.
func isIndex(token string) bool {
	n, err := strconv.Atoi(token)
	return err == nil && n >= 0 && strconv.Itoa(n) == token
}

// jsonPath returns a pointer as a JSON path with brackets, behind root.
func jsonPath(root, pointer string) string {
	var b strings.Builder
	b.WriteString(root)
	for _, token := range tokens(pointer) {
		if isIndex(token) {
			b.WriteString("[" + token + "]")
		} else {
			b.WriteString(`["` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(token) + `"]`)
		}
	}
	return b.String()
}

// selects returns the select list of a typed view: the columns, each by its
// expression, and then others.
func (t Table) selects(quote func(string) string, expression func(stream.Column) string, others ...string) string {
	var list []string
	for _, c := range t.Columns {
		list = append(list, expression(c)+" AS "+quote(c.Name))
	}
	return "  " + strings.Join(append(list, others...), ",\n  ")
}

// names returns the names of the columns.
func (t Table) names(quote func(string) string) string {
	var list []string
	for _, c := range t.Columns {
		list = append(list, quote(c.Name))
	}
	return strings.Join(list, ", ")
}

// ParseColumn parses a column that is written as name=/json/pointer:type. The type
// may be left out; it is then string.
func ParseColumn(s string) (stream.Column, error) {
	name, rest, ok := strings.Cut(s, "=")
	if !ok {
		return stream.Column{}, fmt.Errorf("column %q: want name=/json/pointer:type", s)
	}
	c := stream.Column{Name: name, Pointer: rest, Type: stream.String}
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		c.Pointer, c.Type = rest[:i], stream.ColumnType(rest[i+1:])
	}
	if err := c.Validate(); err != nil {
		return stream.Column{}, fmt.Errorf("column %q: %w", s, err)
	}
	return c, nil
}
