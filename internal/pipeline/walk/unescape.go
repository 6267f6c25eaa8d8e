package walk

import (
	"unicode/utf16"
	"unicode/utf8"
)

// Unescape returns the text of a JSON string. raw begins after the opening quote,
// and n is the position of the closing quote, or len(raw) if there is none.
// Invalid UTF-8 and unpaired surrogates become U+FFFD, as in encoding/json.
// Unescape reports false if the string is malformed. The text aliases raw if they
// are equal. Otherwise it has an initial capacity of room.
func Unescape(raw []byte, room int) (text []byte, n int, ok bool) {
	n = plainPrefix(raw)
	if n == len(raw) || raw[n] == '"' {
		return raw[:n:n], n, true
	}
	text = append(make([]byte, 0, room), raw[:n]...)
	for n < len(raw) {
		rest := raw[n:]
		plain := plainPrefix(rest)
		text = append(text, rest[:plain]...)
		n += plain
		if rest = rest[plain:]; len(rest) == 0 {
			break
		}
		switch c := rest[0]; {
		case c == '"':
			return text, n, true
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(rest)
			text = utf8.AppendRune(text, r)
			n += size
		case c == '\\' && len(rest) >= 2 && short[rest[1]] != 0:
			text = append(text, short[rest[1]])
			n += 2
		case c == '\\' && len(rest) >= 2 && rest[1] == 'u':
			r, size := unescapeUnicode(rest)
			if size == 0 {
				return nil, n, false
			}
			text = utf8.AppendRune(text, r)
			n += size
		default:
			return nil, n, false
		}
	}
	return text, n, true
}

// short maps the character after a backslash to the escaped character.
var short = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// plainPrefix returns the number of leading bytes that are not a quote, not a
// backslash, not a control character and not outside ASCII.
func plainPrefix(raw []byte) int {
	for i, c := range raw {
		if !plain[c] {
			return i
		}
	}
	return len(raw)
}

// plain holds the bytes that need no unescaping.
var plain = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// unescapeUnicode reads \uXXXX or a surrogate pair. Its size is 0 if the escape is
// malformed.
func unescapeUnicode(raw []byte) (r rune, size int) {
	r = hexRune(raw)
	if r < 0 {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if pair := utf16.DecodeRune(r, hexRune(raw[6:])); pair != utf8.RuneError {
		return pair, 12
	}
	return utf8.RuneError, 6
}

// hexRune reads one \uXXXX. It returns -1 if raw does not begin with one.
func hexRune(raw []byte) rune {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range raw[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}
