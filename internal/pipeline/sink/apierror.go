package sink

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
)

// classes maps the error codes of a call or of an entry to the two errors that the
// Writer distinguishes. The SDK's own list of throttling codes is used as well.
// Other codes, such as those of missing streams, denied access and KMS keys, map
// to neither: their cause lies outside the entry and may be temporary.
var classes = map[string]error{
	"KMSThrottlingException":      ErrThrottled,
	"ServiceUnavailableException": ErrThrottled,
	"ServiceUnavailable":          ErrThrottled,

	"InvalidArgumentException": ErrInvalid,
	"ValidationException":      ErrInvalid,
}

// statuses maps HTTP statuses for answers with an unknown code. Kinesis answers a
// request that is too large with status 413 and no code: halving the call finds
// the entry, or a size of call that is accepted.
var statuses = map[int]error{
	http.StatusRequestEntityTooLarge: ErrInvalid,
	http.StatusTooManyRequests:       ErrThrottled,
	http.StatusServiceUnavailable:    ErrThrottled,
}

func classify(code string, status int) error {
	if class, ok := classes[code]; ok {
		return class
	}
	if _, ok := retry.DefaultThrottleErrorCodes[code]; ok {
		return ErrThrottled
	}
	return statuses[status]
}

// apiError is an error of the service or of the connection to it. Its text is
// bounded and can be logged. It does not contain the message of the service, which
// may quote a partition key or data ("Value '…' at 'records.1.member.partitionKey'
// failed to satisfy constraint"). Code, status and request ID identify the error.
type apiError struct {
	text string
	err  error // for errors.Is; may be nil
}

func (e *apiError) Error() string { return e.text }
func (e *apiError) Unwrap() error { return e.err }

// callError converts the error that the SDK client returned for a call. It does not
// wrap an error that the service returned, because the text of such an error
// contains the message of the service.
func callError(operation string, err error) error {
	var status int
	var response interface{ HTTPStatusCode() int }
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	var id string
	var request interface{ ServiceRequestID() string }
	if errors.As(err, &request) {
		id = request.ServiceRequestID()
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		code := api.ErrorCode()
		return &apiError{
			text: fmt.Sprintf("%s: %s (HTTP status %d, request id %s)", operation, word(code), status, word(id)),
			err:  classify(code, status),
		}
	}
	var unreadable *smithy.DeserializationError
	if errors.As(err, &unreadable) { // the text may quote the answer
		return &apiError{
			text: fmt.Sprintf("%s: unreadable answer (HTTP status %d, request id %s)", operation, status, word(id)),
			err:  errors.Join(statuses[status], err),
		}
	}
	return &apiError{text: bounded(err.Error()), err: err}
}

// countError is the error of an answer that cannot be matched to its call.
func countError(operation string, results, entries int) error {
	return fmt.Errorf("%s: answer with %d results to %d entries", operation, results, entries)
}

// refusals collects the failures of a call. Successive entries with the same code
// share one error, because a throttled call can have hundreds of them.
type refusals struct {
	operation string
	code      string
	err       error
	failures  []Failure
}

// add adds a failure for the entry at index unless code is empty.
func (r *refusals) add(index int, code *string) {
	if code == nil || *code == "" {
		return
	}
	if r.err == nil || *code != r.code {
		r.code = *code
		r.err = &apiError{text: r.operation + ": " + word(*code), err: classify(*code, http.StatusOK)}
	}
	r.failures = append(r.failures, Failure{Index: index, Err: r.err})
}

// maxText limits the text of an error, maxWord that of a code or a request ID.
const (
	maxText = 500
	maxWord = 80
)

// word makes a code or request ID from the network safe to log.
func word(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return -1
	}, s[:min(len(s), maxWord)])
	if s == "" {
		return "unknown"
	}
	return s
}

func bounded(text string) string {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}
