package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

const (
	// An S3 key has at most 1,024 bytes and a file name at most 255. These limits
	// leave room for the rest of the key and for ".ndjson".
	maxNameLen   = 200
	maxStreamLen = 120
)

// checkName returns an error unless name is a single plain component of a key.
func checkName(name string) error {
	if name == "" || len(name) > maxNameLen || name[0] == '.' {
		return fmt.Errorf("name %.220q is not a valid part of a key: want 1 to %d characters that do not begin with a full stop", name, maxNameLen)
	}
	for i := range len(name) {
		if !isNameByte(name[i]) {
			return fmt.Errorf("name %q is not a valid part of a key: want only letters, digits and ._-", name)
		}
	}
	return nil
}

func isNameByte(c byte) bool {
	return isStreamByte(c) || 'A' <= c && c <= 'Z' || c == '.' || c == '_'
}

func isStreamByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-'
}

// escape returns the name of a stream as one component of a key. Names that
// streams.json allows are unchanged. In all other names, each byte except a-z,
// 0-9 and "-" becomes "_" and two hexadecimal digits, so different names stay
// different. An empty name becomes "_". The end of a very long name is replaced
// by "_-" and the digest of the name.
func escape(name string) string {
	if name == "" {
		return "_"
	}
	var b strings.Builder
	for i := range len(name) {
		if b.Len() > maxStreamLen {
			digest := sha256.Sum256([]byte(name))
			return b.String() + "_-" + hex.EncodeToString(digest[:])
		}
		if c := name[i]; isStreamByte(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}
