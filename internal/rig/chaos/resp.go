package chaos

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// respValue is one value of the Redis protocol, reduced to what the suite needs.
type respValue struct {
	// kind is the first byte of the value: '+' '-' ':' '$' '*' …
	kind byte
	// text is the text of a line, or the first shortText bytes of a string.
	text []byte
	// items are the elements of an array, a set or a map.
	items []respValue
}

// shortText is the number of bytes that are kept of a string.
const shortText = 512

// readRESP reads one value and appends its bytes to raw. It reads versions 2 and 3
// of the protocol.
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
		v.text = bytes.Clone(raw[at : at+min(n, shortText)])
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

// number returns the text as an integer, or -1 if it is not an integer.
func (v respValue) number() int {
	n, err := strconv.Atoi(string(v.text))
	if err != nil {
		return -1
	}
	return n
}
