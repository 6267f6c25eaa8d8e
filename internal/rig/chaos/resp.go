package chaos

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// respValue is one value of Redis' protocol, as far as the suite looks at it.
type respValue struct {
	// kind is the value's first byte: '+' '-' ':' '$' '*' …
	kind byte
	// text is what a line or a short string says; nil for a longer one.
	text []byte
	// items are those of an array.
	items []respValue
}

// shortText is up to which length the text of a string is kept.
const shortText = 512

// readRESP reads one value and appends its bytes to raw. It knows the protocol's
// versions 2 and 3.
func readRESP(r *bufio.Reader, raw []byte) (respValue, []byte, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return respValue{}, raw, err
	}
	raw = append(raw, line...)
	line = bytes.TrimRight(line, "\r\n")
	if len(line) == 0 {
		return respValue{}, raw, fmt.Errorf("reading RESP: an empty line")
	}
	v := respValue{kind: line[0]}
	switch v.kind {
	case '$', '=', '!':
		n, err := strconv.Atoi(string(line[1:]))
		if err != nil || n < 0 {
			return v, raw, err // nil
		}
		at := len(raw)
		raw = append(raw, make([]byte, n+2)...)
		if _, err := io.ReadFull(r, raw[at:]); err != nil {
			return v, raw, err
		}
		if n <= shortText {
			v.text = bytes.Clone(raw[at : at+n])
		}
	case '*', '~', '>', '%', '|':
		n, err := strconv.Atoi(string(line[1:]))
		if err != nil || n < 0 {
			return v, raw, err // nil
		}
		if v.kind == '%' || v.kind == '|' {
			n *= 2
		}
		for range n {
			var item respValue
			if item, raw, err = readRESP(r, raw); err != nil {
				return v, raw, err
			}
			v.items = append(v.items, item)
		}
		if v.kind == '|' { // attributes of the value that follows
			return readRESP(r, raw)
		}
	default:
		v.text = bytes.Clone(line[1:])
	}
	return v, raw, nil
}

// number is the integer that the text is; -1 if it is none.
func (v respValue) number() int {
	n, err := strconv.Atoi(string(v.text))
	if err != nil {
		return -1
	}
	return n
}

// appendCommand appends a command as Redis wants it.
func appendCommand(b []byte, args ...string) []byte {
	b = fmt.Appendf(b, "*%d\r\n", len(args))
	for _, arg := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	return b
}
