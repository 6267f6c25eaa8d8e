package basicauth

import (
	"encoding/base64"
	"strings"
)

// maxHeader bounds the header that ParseHeader looks at; API Gateway takes at
// most 10,240 bytes for all headers together.
const maxHeader = 8 << 10

// ParseHeader returns the user name and the password of an Authorization
// header, and whether it is one of the Basic scheme. The name of the scheme may
// come in any case, the base64 with or without its padding. The password is all
// that follows the first colon, other colons included. Neither need be UTF-8.
func ParseHeader(authorization string) (user, password string, ok bool) {
	if len(authorization) > maxHeader {
		return "", "", false
	}
	scheme, encoded, found := strings.Cut(strings.Trim(authorization, " \t"), " ")
	if !found || len(scheme) != len("basic") || !strings.EqualFold(scheme, "basic") {
		return "", "", false
	}
	encoded = strings.TrimLeft(encoded, " ")
	// The decoder passes over line ends, which have no business here.
	if strings.ContainsAny(encoded, "\r\n") {
		return "", "", false
	}
	encoding := base64.StdEncoding
	if len(encoded)%4 != 0 {
		encoding = base64.RawStdEncoding
	}
	decoded, err := encoding.DecodeString(encoded)
	if err != nil {
		return "", "", false
	}
	user, password, found = strings.Cut(string(decoded), ":")
	if !found {
		return "", "", false
	}
	return user, password, true
}
