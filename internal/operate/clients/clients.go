// Package clients edits the clients' secret, which lists the clients with their
// passwords and streams. Package basicauth describes its format.
package clients

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var (
	// ErrUnknown is returned for a client that does not exist.
	ErrUnknown = errors.New("no such client")
	// ErrTaken is returned if a client with that name exists.
	ErrTaken = errors.New("the client already exists")
)

// maxSecret is the maximum size of a secret in Secrets Manager, in bytes.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const maxSecret = 64 << 10

// Client is an entry of the secret.
type Client struct {
	Name string `json:"-"`
	// Passwords are all valid at the same time, oldest first. Each is plain text, or
	// "sha256:" followed by the hex digest.
	Passwords []string `json:"passwords"`
	// Streams are the names and patterns of the grant; nil grants all streams.
	Streams []string `json:"streams,omitempty"`
}

// Secret is the content of a clients' secret. It keeps the order of the clients.
type Secret struct{ clients []Client }

// Parse parses a secret. The error lists every problem but contains no password.
func Parse(content []byte) (*Secret, error) {
	if _, err := basicauth.Parse(content); err != nil {
		return nil, fmt.Errorf("reading the clients' secret: %w", err)
	}
	s := new(Secret)
	d := jsontext.NewDecoder(bytes.NewReader(content))
	_, err := d.ReadToken() // the opening brace
	for err == nil && d.PeekKind() != '}' {
		var name jsontext.Token
		if name, err = d.ReadToken(); err != nil {
			break
		}
		c := Client{Name: name.String()}
		if d.PeekKind() == '"' {
			c.Passwords = make([]string, 1)
			err = json.UnmarshalDecode(d, &c.Passwords[0])
		} else {
			err = json.UnmarshalDecode(d, &c)
		}
		s.clients = append(s.clients, c)
	}
	if err != nil {
		return nil, errors.New("reading the clients' secret: malformed")
	}
	return s, nil
}

// Encode returns the content of the secret. It returns an error if the content is
// too large or if the functions would not accept it.
func (s *Secret) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := jsontext.NewEncoder(&b)
	err := e.WriteToken(jsontext.BeginObject)
	for _, c := range s.clients {
		var value any = c
		if len(c.Passwords) == 1 && c.Streams == nil {
			value = c.Passwords[0]
		}
		err = errors.Join(err, e.WriteToken(jsontext.String(c.Name)), json.MarshalEncode(e, value))
	}
	if err = errors.Join(err, e.WriteToken(jsontext.EndObject)); err != nil {
		return nil, errors.New("encoding the clients' secret: a name or a grant is not valid UTF-8")
	}
	content := bytes.TrimSpace(b.Bytes())
	if len(content) > maxSecret {
		return nil, fmt.Errorf("the clients' secret would have %d bytes, want at most %d", len(content), maxSecret)
	}
	if _, err := basicauth.Parse(content); err != nil {
		return nil, err
	}
	return content, nil
}

// Clients returns all clients.
func (s *Secret) Clients() []Client { return slices.Clone(s.clients) }

// Lookup returns the client with a name, or ErrUnknown.
func (s *Secret) Lookup(name string) (Client, error) {
	for _, c := range s.clients {
		if c.Name == name {
			return c, nil
		}
	}
	return Client{}, s.unknown(name)
}

// unknown returns the error for a client that does not exist. It lists those that do.
func (s *Secret) unknown(name string) error {
	var names []string
	for _, c := range s.clients {
		names = append(names, c.Name)
	}
	return fmt.Errorf("client %q: %w; the clients are: %s", name, ErrUnknown, strings.Join(names, ", "))
}

// Plain returns the passwords that the secret holds as plain text, oldest first.
func (c Client) Plain() []string {
	return slices.DeleteFunc(slices.Clone(c.Passwords), func(p string) bool { return strings.HasPrefix(p, hashPrefix) })
}

// Add adds a client with one password. The client may write to the given streams, or
// to all if there are none. Add returns ErrTaken if the client exists.
func (s *Secret) Add(name, password string, streams []string) error {
	if _, err := s.Lookup(name); err == nil {
		return fmt.Errorf("client %q: %w; rotate it to add a password", name, ErrTaken)
	}
	if len(streams) == 0 {
		streams = nil
	}
	s.clients = append(s.clients, Client{Name: name, Passwords: []string{password}, Streams: streams})
	return nil
}

// Check returns an error if no secret can have a client with that name and grant.
func Check(name string, streams []string) error {
	var s Secret
	if err := s.Add(name, Hash(""), streams); err != nil {
		return err
	}
	_, err := s.Encode()
	return err
}

// Matches reports whether a name or pattern of a grant matches a stream.
func Matches(pattern, streamName string) bool {
	ok, err := path.Match(pattern, streamName)
	return ok && err == nil
}

// Rotate adds a password to a client.
func (s *Secret) Rotate(name, password string) error {
	return s.edit(name, func(c *Client) { c.Passwords = append(slices.Clip(c.Passwords), password) })
}

// RevokeOld removes all passwords of a client except the newest. It returns the
// number of removed passwords.
func (s *Secret) RevokeOld(name string) (revoked int, err error) {
	err = s.edit(name, func(c *Client) {
		revoked = len(c.Passwords) - 1
		c.Passwords = c.Passwords[revoked:]
	})
	return revoked, err
}

// Revoke removes a client.
func (s *Secret) Revoke(name string) error {
	if _, err := s.Lookup(name); err != nil {
		return err
	}
	s.clients = slices.DeleteFunc(s.clients, func(c Client) bool { return c.Name == name })
	return nil
}

func (s *Secret) edit(name string, change func(*Client)) error {
	for i := range s.clients {
		if s.clients[i].Name == name {
			change(&s.clients[i])
			return nil
		}
	}
	return s.unknown(name)
}

const hashPrefix = "sha256:"

// Generate returns a new password with at least 128 random bits. It has only letters
// and digits, so it needs no escaping.
func Generate() string { return rand.Text() }

// Hash returns "sha256:" and the hex digest of a generated password. An unsalted
// digest is safe only for a password that cannot be guessed.
func Hash(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hashPrefix + hex.EncodeToString(sum[:])
}
