// Package basicauth checks HTTP Basic credentials (RFC 7617) against the
// clients' secret, and caches that secret with bounded staleness.
//
// The secret is one JSON object. It maps the name of each client to its password,
// or to an object with several valid passwords and the streams that the client may
// write to.
//
//	{"datasink": "…", "checkout": {"passwords": ["…", "sha256:…"], "streams": ["orders", "checkout-*"]}}
//
// A password is written in plain text, or as "sha256:" and the 64 hexadecimal
// digits of its digest. An unsalted digest is safe only for a generated password
// of 128 bits or more. A slow hash would be too expensive for every request.
package basicauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"path"
)

// Client is a client of the service.
type Client struct {
	// Name is the client's user name.
	Name string
	// grants are patterns of stream names. Nil grants every stream.
	grants []string
}

// MayWrite reports whether the client has a grant for a stream of that name. The
// stream need not exist.
func (c Client) MayWrite(stream string) bool {
	if !c.Restricted() {
		return true
	}
	for _, pattern := range c.grants {
		// Patterns consist of letters, digits, hyphens and stars, so none is malformed.
		if ok, err := path.Match(pattern, stream); ok && err == nil {
			return true
		}
	}
	return false
}

// Restricted reports whether the client's grant names streams.
func (c Client) Restricted() bool { return c.grants != nil }

// digest is the SHA-256 of a password or of a user name.
type digest = [sha256.Size]byte

// account is a client and the digests of its passwords.
type account struct {
	client  Client
	digests []digest
}

// Credentials is the content of the clients' secret. It does not change after
// Parse and is safe for concurrent use.
type Credentials struct {
	// accounts maps the digest of each name to its account. With digests as keys,
	// the time of a lookup does not reveal how much of a name was correct.
	accounts map[digest]account
	// most is the largest number of passwords of one client.
	most int
}

// nobody replaces the account of an unknown client. No password has its digest.
var nobody = account{digests: make([]digest, 1)}

// Check returns the client that an Authorization header names, and whether the
// password is correct. If it is not, the Client has only a name, and only if a
// client of that name exists. This name is for the log and never for an answer.
//
// Passwords are compared by digest in constant time. Each check does the same
// work, independent of whether the client is known and how many passwords it has.
func (c *Credentials) Check(authorization string) (Client, bool) {
	user, password, ok := ParseHeader(authorization)
	if !ok {
		return Client{}, false
	}
	presented := sha256.Sum256([]byte(password))
	a, known := c.accounts[sha256.Sum256([]byte(user))]
	if !known {
		a = nobody
	}
	match := 0
	for i := range c.most {
		// If the client has fewer passwords, the first one is compared again.
		own := subtle.ConstantTimeLessOrEq(i+1, len(a.digests))
		d := &a.digests[subtle.ConstantTimeSelect(own, i, 0)]
		match |= subtle.ConstantTimeCompare(presented[:], d[:])
	}
	if known && match == 1 {
		return a.client, true
	}
	return Client{Name: a.client.Name}, false
}
