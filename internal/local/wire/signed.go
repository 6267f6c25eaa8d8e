package wire

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// maxSkew is the difference of clocks that a signature may have, as on AWS.
const maxSkew = 15 * time.Minute

// Signed serves requests that are signed with an access key, in the header or in
// the query (Signature Version 4), and refuses all others. All x-amz-* headers must
// be signed, as on S3. A signature for s3 is not valid for a call in JSON, and a
// signature in the query is valid for s3 only. Signed does not check the signatures
// of the chunks in the format aws-chunked.
func Signed(accessKey, secretKey string, next http.Handler) http.Handler {
	credentials := aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isSigned(r, credentials, time.Now()) {
			err := s3Error("AccessDenied", "The request and its x-amz-* headers must be signed with the access key of this port.")
			if r.Header.Get("X-Amz-Target") != "" {
				writeJSON(w, http.StatusForbidden, map[string]string{"__type": "AccessDeniedException", "message": err.Error()})
			} else {
				writeS3Error(w, r, err)
			}
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isSigned signs the signed parts of the request again, and compares.
func isSigned(r *http.Request, credentials aws.Credentials, now time.Time) bool {
	query := r.URL.Query()
	if query.Get("X-Amz-Signature") != "" {
		return isPresigned(r, query, credentials, now)
	}
	fields, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return false
	}
	scope, headers := parseAuthorization(fields)
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || now.Sub(at).Abs() > maxSkew || !scope.valid(credentials) || !scope.covers(r, headers) {
		return false
	}
	again := signedParts(r, headers, r.URL.RawQuery)
	hash := r.Header.Get("X-Amz-Content-Sha256") // S3 compares it with the body.
	if scope.service != "s3" {
		if hash, err = hashBody(r); err != nil {
			return false
		}
	}
	if err := newSigner(scope).SignHTTP(context.Background(), credentials, again, hash, scope.service, scope.region, at); err != nil {
		return false
	}
	return equal(again.Header.Get("Authorization"), r.Header.Get("Authorization"))
}

// hashBody reads the body of a call in JSON and returns its SHA-256.
func hashBody(r *http.Request) (string, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxCallBytes))
	if err != nil {
		return "", err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}

func isPresigned(r *http.Request, query url.Values, credentials aws.Credentials, now time.Time) bool {
	scope := parseScope(query.Get("X-Amz-Credential"))
	headers := strings.Split(query.Get("X-Amz-SignedHeaders"), ";")
	at, err := time.Parse("20060102T150405Z", query.Get("X-Amz-Date"))
	if err != nil || !scope.valid(credentials) || scope.service != "s3" || !scope.covers(r, headers) {
		return false
	}
	lifetime, err := time.ParseDuration(query.Get("X-Amz-Expires") + "s")
	if err != nil || now.Before(at.Add(-maxSkew)) || now.After(at.Add(lifetime)) {
		return false
	}
	signature := query.Get("X-Amz-Signature")
	for _, name := range []string{"X-Amz-Signature", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders"} {
		query.Del(name)
	}
	again := signedParts(r, headers, query.Encode())
	signed, _, err := newSigner(scope).PresignHTTP(context.Background(), credentials, again, "UNSIGNED-PAYLOAD", scope.service, scope.region, at)
	if err != nil {
		return false
	}
	u, err := url.Parse(signed)
	return err == nil && equal(u.Query().Get("X-Amz-Signature"), signature)
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func newSigner(s scope) *v4.Signer {
	return v4.NewSigner(func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = s.service == "s3"
		o.DisableHeaderHoisting = true
	})
}

// scope is a credential scope.
type scope struct{ accessKey, region, service string }

func (s scope) valid(c aws.Credentials) bool {
	return s.service != "" && equal(s.accessKey, c.AccessKeyID)
}

// covers reports whether a signature with this scope and these signed headers can
// be one of the request: it is for the request's kind of service, S3 or a JSON
// protocol, and includes all x-amz-* headers.
func (s scope) covers(r *http.Request, headers []string) bool {
	if isCall := r.Header.Get("X-Amz-Target") != ""; isCall == (s.service == "s3") {
		return false
	}
	for name := range r.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-amz-") && !slices.Contains(headers, name) {
			return false
		}
	}
	return true
}

// parseScope parses access key/date/region/service/aws4_request.
func parseScope(credential string) scope {
	parts := strings.Split(credential, "/")
	if len(parts) < 5 {
		return scope{}
	}
	n := len(parts)
	return scope{accessKey: strings.Join(parts[:n-4], "/"), region: parts[n-3], service: parts[n-2]}
}

func parseAuthorization(fields string) (s scope, headers []string) {
	for field := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			s = parseScope(value)
		case "SignedHeaders":
			headers = strings.Split(value, ";")
		}
	}
	return s, headers
}

// signedParts returns a request with the signed parts of r.
func signedParts(r *http.Request, headers []string, query string) *http.Request {
	u := *r.URL
	u.Scheme, u.Host, u.RawQuery = "http", r.Host, query
	again := &http.Request{Method: r.Method, URL: &u, Host: r.Host, Header: make(http.Header)}
	for _, name := range headers {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	return again
}
