package ingest

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// refusal is an error answer. It has a status, a code for programs and a detail
// for people.
type refusal struct {
	status       int
	code, detail string
	// header and value are an additional header of the answer. Both can be empty.
	header, value string
}

// retryAfter is the Retry-After of a 503, in seconds.
const retryAfter = "5"

var (
	notFound      = refusal{status: http.StatusNotFound, code: "not_found", detail: "the path does not exist"}
	unknownStream = refusal{status: http.StatusNotFound, code: "unknown_stream", detail: "the stream does not exist"}
	forbidden     = refusal{status: http.StatusForbidden, code: "forbidden", detail: "this client may not write to this stream"}
	unauthorized  = refusal{
		status: http.StatusUnauthorized, code: "unauthorized", detail: "the credentials are missing or wrong",
		header: "WWW-Authenticate", value: `Basic realm="data-sink", charset="UTF-8"`,
	}
	emptyBody       = refusal{status: http.StatusBadRequest, code: "empty_body", detail: "the body is empty"}
	badPartitionKey = refusal{
		status: http.StatusBadRequest, code: "bad_partition_key",
		detail: fmt.Sprintf("partition_key must be UTF-8 text of at most %d characters", maxPartitionKey),
	}
	unsupportedEncoding = refusal{
		status: http.StatusUnsupportedMediaType, code: "unsupported_encoding",
		detail: "the Content-Encoding must be identity, gzip, x-gzip, application/gzip or zstd",
	}
	badEncoding    = encodingRefusal("the body does not match its Content-Encoding")
	badBase64      = encodingRefusal("the event says that the body is base64, but it is not")
	compressedText = encodingRefusal("the body is compressed but has a text type, which cannot carry compressed bytes: " + sendBytes)
	alteredBody    = encodingRefusal("the body has a text type but is not UTF-8, so the API has altered it: " + sendBytes)
	noCredentials  = unavailable("the credentials cannot be checked at present")
	notStored      = unavailable("the record cannot be stored at present")
	backlogFull    = unavailable("the backlog of this stream is full")
	unhealthy      = unavailable("records cannot be accepted at present")
)

func unavailable(detail string) refusal {
	return refusal{status: http.StatusServiceUnavailable, code: "unavailable", detail: detail, header: "Retry-After", value: retryAfter}
}

func methodNotAllowed(allow string) refusal {
	return refusal{
		status: http.StatusMethodNotAllowed, code: "method_not_allowed", detail: "the path does not support this method",
		header: "Allow", value: allow,
	}
}

// sendBytes is the advice for bodies that are not text.
const sendBytes = "send it with Content-Type application/octet-stream"

func encodingRefusal(detail string) refusal {
	return refusal{status: http.StatusBadRequest, code: "bad_encoding", detail: detail}
}

// tooLarge returns the refusal of a body of a size over limit. form is "received"
// or "decoded".
func tooLarge(form, size string, limit int) refusal {
	return refusal{
		status: http.StatusRequestEntityTooLarge, code: "body_too_large",
		detail: fmt.Sprintf("the body has %s as %s; the limit is %d bytes", size, form, limit),
	}
}

// problem is the body of an error answer as defined by RFC 9457. The type is the
// default, about:blank, which requires the status text as title.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Detail    string `json:"detail"`
	RequestID string `json:"request_id"`
}

// response is an HTTP API response in payload format 2.0.
type response struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
	IsBase64   bool              `json:"isBase64Encoded"`
}

// response returns the refusal in API Gateway's response format.
func (f *refusal) response(requestID string) ([]byte, error) {
	body, err := json.Marshal(problem{"about:blank", http.StatusText(f.status), f.status, f.code, f.detail, requestID})
	if err != nil {
		return nil, fmt.Errorf("encoding the problem: %w", err)
	}
	headers := map[string]string{"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
	if f.header != "" {
		headers[f.header] = f.value
	}
	out, err := json.Marshal(response{StatusCode: f.status, Headers: headers, Body: string(body)})
	if err != nil {
		return nil, fmt.Errorf("encoding the response: %w", err)
	}
	return out, nil
}

// accepted returns the response for a durable record. It is built without an
// encoder because every successful request gets it. An id needs no escaping.
func accepted(id string) []byte {
	const before, after = `{"statusCode":202,"headers":{"Content-Type":"application/json"},"body":"{\"id\":\"`, `\"}","isBase64Encoded":false}`
	out := make([]byte, 0, len(before)+len(id)+len(after))
	return append(append(append(out, before...), id...), after...)
}

// healthy is the response of a service that accepts records.
const healthy = `{"statusCode":200,"headers":{"Content-Type":"application/json","Cache-Control":"no-store"},"body":"{\"status\":\"ok\"}","isBase64Encoded":false}`
