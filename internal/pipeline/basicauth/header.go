package basicauth

import (
	"encoding/base64"
	"strings"
)

// maxHeader bounds the header that ParseHeader accepts, in bytes. API Gateway
// accepts at most 10,240 bytes for all headers together.
const maxHeader = 8 << 10

// ParseHeader returns the user name and the password of an Authorization header,
// and whether the header uses the Basic scheme. The scheme's name is not case
// sensitive, and the padding of the base64 is optional. The password is everything
// after the first colon. User name and password need not be UTF-8.
func ParseHeader(authorization string) (user, password string, ok bool) {
	if len(authorization) > maxHeader {
		return "", "", false
	}
	scheme, encoded, found := strings.Cut(strings.Trim(authorization, " \t"), " ")
	if !found || len(scheme) != len("basic") || !strings.EqualFold(scheme, "basic") {
		return "", "", false
	}
	encoded = strings.TrimLeft(encoded, " ")
	// The decoder would skip line ends, which are not valid here.
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
