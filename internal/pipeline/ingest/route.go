package ingest

import (
	"bytes"
	"net/url"
	"strings"
	"unicode/utf8"
)

// route is what a request is about.
type route int

const (
	unknownRoute route = iota
	archivesRoute
	healthRoute
)

// archivesPath is the path of all streams; the rest of a path is a stream's name.
const archivesPath = "/archives/"

// route tells the route by what API Gateway's router found, so that it works
// behind a domain with a base path too, or else by the path.
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

// pathInStage is the path without the name of the stage, which API Gateway puts
// before it unless the stage is $default.
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

// streamName is the name of the stream as the client meant it: the path
// parameter, or else what follows in the path. It may be any text at all. Names
// of streams have no percent sign, so one that API Gateway has decoded already
// is not harmed by being decoded again.
func (r *request) streamName() string {
	name := r.stream
	if len(name) == 0 {
		name = bytes.TrimPrefix(r.pathInStage(), []byte(archivesPath))
	}
	if bytes.IndexByte(name, '%') >= 0 {
		if decoded, err := url.PathUnescape(string(name)); err == nil {
			return decoded
		}
	}
	return string(name)
}

// maxPartitionKey is the limit of Kinesis, in characters.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecordsRequestEntry.html
const maxPartitionKey = 256

// partitionKey returns the first partition_key of the query, empty when there is
// none, and whether it can be one: valid UTF-8 and not longer than
// maxPartitionKey characters. The original Ruby client does not percent-encode
// it, so what is no percent-encoding is taken as it stands.
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
