package basicauth

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// hashPrefix marks a password that the secret holds as a digest.
const hashPrefix = "sha256:"

// patternForm matches a stream's name in which "*" stands for any characters. It
// is compiled on first use, because few secrets have patterns.
var patternForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9*][a-z0-9*-]{0,39}$`) })

// Parse reads a clients' secret. Its error lists each problem on one line, with
// the client's position and its name if the name is well formed. The error never
// contains a password, a hash or any other value. A secret without clients is
// valid: then no client may write.
func Parse(secret []byte) (*Credentials, error) {
	p := parser{accounts: make(map[digest]account), seen: make(map[digest]bool)}
	p.secret(secret)
	if len(p.problems) > 0 {
		return nil, errors.Join(p.problems...)
	}
	most := 1
	for _, a := range p.accounts {
		most = max(most, len(a.digests))
	}
	return &Credentials{accounts: p.accounts, most: most}, nil
}

// parser reads the clients one by one and keeps every problem.
type parser struct {
	accounts map[digest]account
	problems []error
	// seen holds the digests of the current client's passwords.
	seen map[digest]bool
}

func (p *parser) problem(format string, args ...any) {
	p.problems = append(p.problems, fmt.Errorf(format, args...))
}

func (p *parser) secret(secret []byte) {
	// The decoder's own errors would repeat parts of the secret.
	var whole json.RawMessage
	var syntax *json.SyntaxError
	switch err := json.Unmarshal(secret, &whole); {
	case errors.As(err, &syntax):
		p.problem("not JSON: error at byte %d", syntax.Offset)
		return
	case err != nil:
		p.problem("not JSON")
		return
	case !utf8.Valid(secret):
		p.problem("not UTF-8")
		return
	}
	clients, ok := members(whole)
	if !ok {
		p.problem("not a JSON object: want an object that maps names to passwords")
		return
	}
	for i, c := range clients {
		at := fmt.Sprintf("client %d", i+1)
		// A malformed name may be a password in the wrong place.
		if wrong := checkName(c.name); wrong != "" {
			p.problem("%s: name %s", at, wrong)
			p.client(at, c)
			continue
		}
		at = fmt.Sprintf("client %d (%q)", i+1, c.name)
		a := p.client(at, c)
		name := sha256.Sum256([]byte(c.name))
		if _, taken := p.accounts[name]; taken {
			p.problem("%s: duplicate name", at)
		}
		p.accounts[name] = a
	}
}

func checkName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case strings.Contains(name, ":"):
		return "has a colon, which ends a user name"
	case hasControl(name):
		return "has a control character"
	}
	return ""
}

// client reads one client, which is a password or an object.
func (p *parser) client(at string, c member) account {
	a := account{client: Client{Name: c.name}}
	clear(p.seen)
	if password, ok := asString(c.value); ok {
		p.password(at+": password", password, &a)
		return a
	}
	fields, ok := members(c.value)
	if !ok {
		p.problem("%s: want a password, or an object with passwords", at)
		return a
	}
	seen := make(map[string]bool)
	for i, f := range fields {
		switch {
		case f.name != "passwords" && f.name != "streams":
			p.problem("%s: field %d is unknown, want passwords or streams", at, i+1)
		case seen[f.name]:
			p.problem("%s: duplicate field %s", at, f.name)
		case f.name == "passwords":
			p.passwords(at+": passwords", f.value, &a)
		default:
			p.streams(at+": streams", f.value, &a)
		}
		seen[f.name] = true
	}
	if !seen["passwords"] {
		p.problem("%s: missing passwords", at)
	}
	return a
}

func (p *parser) passwords(at string, value json.RawMessage, a *account) {
	passwords, ok := asStrings(value)
	if !ok {
		p.problem("%s: want a list of at least one string", at)
	}
	for i, password := range passwords {
		p.password(fmt.Sprintf("%s[%d]", at, i), password, a)
	}
}

func (p *parser) password(at, password string, a *account) {
	d := sha256.Sum256([]byte(password))
	hashed, isHash := strings.CutPrefix(password, hashPrefix)
	switch n, err := hex.DecodeString(hashed); {
	case password == "":
		p.problem("%s: empty", at)
		return
	case hasControl(password):
		p.problem("%s: has a control character, for example a line end", at)
		return
	case isHash && (err != nil || len(n) != sha256.Size):
		p.problem("%s: malformed hash, want %s and %d hexadecimal digits", at, hashPrefix, 2*sha256.Size)
		return
	case isHash:
		d = digest(n)
	}
	// If one of two equal passwords were removed, the other would stay valid.
	if p.seen[d] {
		p.problem("%s: duplicate password", at)
		return
	}
	p.seen[d] = true
	a.digests = append(a.digests, d)
}

func (p *parser) streams(at string, value json.RawMessage, a *account) {
	patterns, ok := asStrings(value)
	if !ok {
		p.problem("%s: want a list of at least one string; without this field the client may write to all streams", at)
	}
	for i, pattern := range patterns {
		if !patternForm().MatchString(pattern) {
			p.problem("%s[%d]: want %s", at, i, patternForm())
		}
	}
	a.client.grants = patterns
}

// member is one name and value of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// members returns the members of a valid JSON value, including duplicates, and
// reports whether the value is an object.
func members(value json.RawMessage) ([]member, bool) {
	d := json.NewDecoder(bytes.NewReader(value))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	var all []member
	for d.More() {
		var m member
		name, err := d.Token()
		if err != nil || d.Decode(&m.value) != nil {
			return nil, false
		}
		m.name, _ = name.(string)
		all = append(all, m)
	}
	return all, true
}

func asString(value json.RawMessage) (string, bool) {
	var s *string
	if json.Unmarshal(value, &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}

// asStrings reports false for an empty list and for null, as a value or in the
// list.
func asStrings(value json.RawMessage) ([]string, bool) {
	var list []*string
	if json.Unmarshal(value, &list) != nil || len(list) == 0 || slices.Contains(list, nil) {
		return nil, false
	}
	values := make([]string, len(list))
	for i, s := range list {
		values[i] = *s
	}
	return values, true
}

func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }
