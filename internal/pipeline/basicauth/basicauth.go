// Package basicauth checks HTTP Basic credentials (RFC 7617) against the
// clients' secret, and keeps a copy of that secret with bounded staleness.
//
// The secret is one JSON object: the name of a client, and its password or an
// object with several live passwords and the streams that it may write to.
//
//	{"datasink": "…", "checkout": {"passwords": ["…", "sha256:…"], "streams": ["orders", "checkout-*"]}}
//
// A password stands there as it is, or as "sha256:" and the 64 hexadecimal
// digits of its digest. A plain digest is safe only for a generated password of
// 128 bits or more: a slow hash has no place on the path of every request.
package basicauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"path"
)

// Client is one who may write.
type Client struct {
	// Name is the client's user name.
	Name string
	// grants are patterns of stream names; nil grants every stream.
	grants []string
}

// MayWrite reports whether the client has a grant for a stream of that name,
// whether there is such a stream or not.
func (c Client) MayWrite(stream string) bool {
	if !c.Restricted() {
		return true
	}
	for _, pattern := range c.grants {
		// Patterns hold letters, digits, hyphens and stars: none is malformed.
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

// account is a client with the digests of its passwords.
type account struct {
	client  Client
	digests []digest
}

// Credentials is the content of one clients' secret. It does not change after
// Parse and is safe for concurrent use.
type Credentials struct {
	// accounts are found by the digest of the name, so that how long a look-up
	// takes says nothing about how much of a name was right.
	accounts map[digest]account
	// most is the largest number of passwords that a client has.
	most int
}

// nobody stands in for an unknown client. Its one digest is that of no password.
var nobody = account{digests: make([]digest, 1)}

// Check returns the client whose credentials an Authorization header holds, and
// whether they are right. With wrong ones the Client has nothing but a name,
// and that only when there is a client of that name: for the log, never for an
// answer.
//
// Passwords are compared by digest in constant time. Each check does the same
// work, whether the client is known or not and however many passwords it has.
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
		// Where there is no further password, the first is compared once more.
		own := subtle.ConstantTimeLessOrEq(i+1, len(a.digests))
		d := &a.digests[subtle.ConstantTimeSelect(own, i, 0)]
		match |= subtle.ConstantTimeCompare(presented[:], d[:])
	}
	if known && match == 1 {
		return a.client, true
	}
	return Client{Name: a.client.Name}, false
}
