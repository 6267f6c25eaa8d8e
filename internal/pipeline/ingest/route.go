package ingest

import (
	"bytes"
	"net/url"
	"strings"
	"unicode/utf8"
)

// route is the kind of a request.
type route int

const (
	unknownRoute route = iota
	archivesRoute
	healthRoute
)

// archivesPath is the path prefix of all streams.
const archivesPath = "/archives/"

// route returns the route that API Gateway's router found, which is correct behind
// a domain with a base path too. Without a router it uses the path.
func (r *request) route() route {
	path := r.pathInStage()
	switch {
	case len(r.stream) > 0 || bytes.HasPrefix(path, []byte(archivesPath)):
		return archivesRoute
	case string(r.routeKey) == "GET /health" || string(path) == "/health":
		return healthRoute
	default:
		return unknownRoute
	}
}

// pathInStage returns the path without the name of the stage. API Gateway prepends
// that name unless the stage is $default.
func (r *request) pathInStage() []byte {
	rest, ok := bytes.CutPrefix(r.path, []byte("/"))
	if !ok || len(r.stage) == 0 {
		return r.path
	}
	if inStage, ok := bytes.CutPrefix(rest, r.stage); ok && len(inStage) > 0 && inStage[0] == '/' {
		return inStage
	}
	return r.path
}

// batchRoute is the route key of a route of its own for batches.
const batchRoute = "POST /archives/{stream}/batch"

// target returns the name of the stream and whether the request is a batch. They
// follow from the path parameter, or else from the rest of the path: the greedy
// route "POST /archives/{stream+}" has the parameter "orders" or "orders/batch",
// and one trailing slash is ignored. The name can be any text. Names of streams
// contain no percent sign, so decoding a name that API Gateway has already decoded
// is harmless.
func (r *request) target() (name string, batch bool) {
	rest := r.stream
	if len(rest) == 0 {
		rest = bytes.TrimPrefix(r.pathInStage(), []byte(archivesPath))
	}
	rest = bytes.TrimSuffix(rest, []byte("/"))
	rest, batch = bytes.CutSuffix(rest, []byte("/batch"))
	batch = batch || string(r.routeKey) == batchRoute
	if bytes.IndexByte(rest, '%') >= 0 {
		if decoded, err := url.PathUnescape(string(rest)); err == nil {
			return decoded, batch
		}
	}
	return string(rest), batch
}

// isJSON reports whether the Content-Type is application/json.
func (r *request) isJSON() bool {
	mediaType, _, _ := bytes.Cut(r.contentType, []byte(";"))
	return bytes.EqualFold(bytes.Trim(mediaType, " \t"), []byte("application/json"))
}

// maxPartitionKey is the limit of Kinesis in characters.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecordsRequestEntry.html
const maxPartitionKey = 256

// partitionKey returns the first partition_key of the query, or an empty key. It
// reports whether the key is valid: UTF-8 of at most maxPartitionKey characters.
// The original Ruby client does not percent-encode the key, so a value that is not
// valid percent-encoding is used unchanged.
func (r *request) partitionKey() (string, bool) {
	for query := string(r.query); query != ""; {
		var parameter string
		parameter, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(parameter, "=")
		if unescapeQuery(name) != "partition_key" {
			continue
		}
		key := unescapeQuery(value)
		if !utf8.ValidString(key) || utf8.RuneCountInString(key) > maxPartitionKey {
			return "", false
		}
		return key, true
	}
	return "", true
}

func unescapeQuery(s string) string {
	if unescaped, err := url.QueryUnescape(s); err == nil {
		return unescaped
	}
	return s
}
