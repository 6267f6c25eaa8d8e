package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

const (
	// An S3 key has at most 1,024 bytes and a file name 255. These leave room for
	// the rest of the key and for ".ndjson".
	maxNameLen   = 200
	maxStreamLen = 120
)

// checkName refuses a name that could be more than one plain component of a key.
func checkName(name string) error {
	if name == "" || len(name) > maxNameLen || name[0] == '.' {
		return fmt.Errorf("name %.220q cannot stand in a key: want 1 to %d characters, the first no full stop", name, maxNameLen)
	}
	for i := range len(name) {
		if !isNameByte(name[i]) {
			return fmt.Errorf("name %q cannot stand in a key: want letters, digits and ._- only", name)
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

// escape turns the name of a stream into one component of a key. The names that
// streams.json allows stay as they are. Of any other, each byte but a-z, 0-9 and
// "-" becomes "_" and two hex digits, so that two names never meet; an empty
// name becomes "_", and the end of a very long one "_-" and its digest.
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
