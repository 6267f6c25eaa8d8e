package ingest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// statuses maps the code of each refusal to its status.
var statuses = map[string]int{
	"empty_body":             http.StatusBadRequest,
	"bad_encoding":           http.StatusBadRequest,
	"bad_partition_key":      http.StatusBadRequest,
	"bad_idempotency_key":    http.StatusBadRequest,
	"not_a_lines_stream":     http.StatusBadRequest,
	"unauthorized":           http.StatusUnauthorized,
	"forbidden":              http.StatusForbidden,
	"not_found":              http.StatusNotFound,
	"unknown_stream":         http.StatusNotFound,
	"method_not_allowed":     http.StatusMethodNotAllowed,
	"body_too_large":         http.StatusRequestEntityTooLarge,
	"too_many_lines":         http.StatusRequestEntityTooLarge,
	"unsupported_encoding":   http.StatusUnsupportedMediaType,
	"unsupported_type":       http.StatusUnsupportedMediaType,
	"idempotency_key_reused": http.StatusUnprocessableEntity,
	"unavailable":            http.StatusServiceUnavailable,
}

// refusal is an error that is the answer to a request. It has a code for programs and
// a detail for people.
type refusal struct {
	code, detail string
	// header and value are an additional header of the answer. Both can be empty.
	header, value string
}

func (f *refusal) Error() string { return f.detail }

// retryAfter is the Retry-After of a 503, in seconds.
const retryAfter = "5"

var (
	notFound      = refusal{code: "not_found", detail: "the path does not exist"}
	unknownStream = refusal{code: "unknown_stream", detail: "the stream does not exist or is retired"}
	forbidden     = refusal{code: "forbidden", detail: "this client may not write to this stream"}
	unauthorized  = refusal{
		code: "unauthorized", detail: "the credentials are missing or wrong",
		header: "WWW-Authenticate", value: `Basic realm="data-sink", charset="UTF-8"`,
	}
	emptyBody         = refusal{code: "empty_body", detail: "the body is empty"}
	noLines           = refusal{code: "empty_body", detail: "the body has no lines that are not empty"}
	tooManyLines      = refusal{code: "too_many_lines", detail: fmt.Sprintf("the body has more than %d lines", maxLines)}
	badPartitionKey   = refusal{code: "bad_partition_key", detail: fmt.Sprintf("partition_key must be UTF-8 text of at most %d characters", maxPartitionKey)}
	badIdempotencyKey = refusal{
		code:   "bad_idempotency_key",
		detail: fmt.Sprintf("Idempotency-Key must be 1 to %d visible ASCII characters without quotation marks, backslashes and commas", maxIdempotencyKey),
	}
	keyReused           = refusal{code: "idempotency_key_reused", detail: "the Idempotency-Key was used before with another body"}
	notALinesStream     = refusal{code: "not_a_lines_stream", detail: "the stream's format is not lines, so it accepts no batches"}
	unsupportedEncoding = refusal{code: "unsupported_encoding", detail: "the Content-Encoding must be identity, gzip, x-gzip, application/gzip or zstd"}
	unsupportedType     = refusal{code: "unsupported_type", detail: "a batch is lines, not one JSON value: send it with Content-Type application/x-ndjson"}
	badEncoding         = refusal{code: "bad_encoding", detail: "the body does not match its Content-Encoding"}
	badBase64           = refusal{code: "bad_encoding", detail: "the event says that the body is base64, but it is not"}
	compressedText      = refusal{code: "bad_encoding", detail: "the body is compressed but has a text type, which cannot carry compressed bytes: " + sendBytes}
	alteredBody         = refusal{code: "bad_encoding", detail: "the body has a text type but is not UTF-8, so the API has altered it: " + sendBytes}
	noCredentials       = unavailable("the credentials cannot be checked at present")
	notStored           = unavailable("the record cannot be stored at present")
	backlogFull         = unavailable("the backlog of this stream is full")
	unhealthy           = unavailable("records cannot be accepted at present")
)

// sendBytes is the advice for bodies that are not text.
const sendBytes = "send it with Content-Type application/octet-stream"

func unavailable(detail string) refusal {
	return refusal{code: "unavailable", detail: detail, header: "Retry-After", value: retryAfter}
}

func methodNotAllowed(allow string) *refusal {
	return &refusal{code: "method_not_allowed", detail: "the path does not support this method", header: "Allow", value: allow}
}

// tooLarge returns the refusal of a body of a size over limit. form is "received"
// or "decoded".
func tooLarge(form, size string, limit int) *refusal {
	return &refusal{code: "body_too_large", detail: fmt.Sprintf("the body has %s as %s; the limit is %d bytes", size, form, limit)}
}

// overBacklog returns the refusal of a batch that is larger than the bound on its
// stream's backlog, so that a retry could never succeed.
func overBacklog(maxBacklogMiB int) *refusal {
	return &refusal{code: "body_too_large", detail: fmt.Sprintf("the batch is larger than the backlog of its stream may be; the limit is %d MiB", maxBacklogMiB)}
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

// title returns the text of a status in RFC 9110, which net/http has in older forms.
func title(status int) string {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return "Content Too Large"
	case http.StatusUnprocessableEntity:
		return "Unprocessable Content"
	default:
		return http.StatusText(status)
	}
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
	status := statuses[f.code]
	body, err := json.Marshal(problem{"about:blank", title(status), status, f.code, f.detail, requestID})
	if err != nil {
		return nil, fmt.Errorf("encoding the problem: %w", err)
	}
	headers := map[string]string{"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
	if f.header != "" {
		headers[f.header] = f.value
	}
	out, err := json.Marshal(response{StatusCode: status, Headers: headers, Body: string(body)})
	if err != nil {
		return nil, fmt.Errorf("encoding the response: %w", err)
	}
	return out, nil
}

// accepted returns the response for durable records. lines is the number of lines
// of a batch, or 0 for a single record. It is built without an encoder because
// every successful request gets it. An id needs no escaping.
func accepted(id string, lines int, replayed bool) []byte {
	out := make([]byte, 0, 256)
	out = append(out, `{"statusCode":202,"headers":{"Content-Type":"application/json"`...)
	if replayed {
		out = append(out, `,"Idempotency-Replayed":"true"`...)
	}
	out = append(out, `},"body":"{\"id\":\"`...)
	out = append(out, id...)
	out = append(out, `\"`...)
	if lines > 0 {
		out = append(out, `,\"records\":`...)
		out = strconv.AppendInt(out, int64(lines), 10)
	}
	return append(out, `}","isBase64Encoded":false}`...)
}

// healthy is the response of a service that accepts records.
const healthy = `{"statusCode":200,"headers":{"Content-Type":"application/json","Cache-Control":"no-store"},"body":"{\"status\":\"ok\"}","isBase64Encoded":false}`
