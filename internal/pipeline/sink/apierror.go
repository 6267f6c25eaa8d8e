package sink

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
)

// classes are the codes, of a call or of one entry, that mean one of the
// Writer's two errors; the SDK's own list of throttling codes adds to them. All
// other codes mean neither, above all those of missing streams, denied access
// and keys: their cause is outside of the entry and may go away.
var classes = map[string]error{
	"KMSThrottlingException":      ErrThrottled,
	"ServiceUnavailableException": ErrThrottled,
	"ServiceUnavailable":          ErrThrottled,

	"InvalidArgumentException": ErrInvalid,
	"ValidationException":      ErrInvalid,
}

// statuses are the same for answers whose code says nothing. Kinesis meets a
// request that is too large with a bare 413: halving finds the entry, or calls
// of a size that passes.
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

// apiError is an error of the service or of the way to it. Its text is fit for
// a log and bounded. The service's own message is not in it, for it may quote a
// partition key or data ("Value '…' at 'records.1.member.partitionKey' failed
// to satisfy constraint"): code, status and request id identify the fault, and
// AWS support finds the rest by the request id.
type apiError struct {
	text string
	err  error // what errors.Is finds; nil for none
}

func (e *apiError) Error() string { return e.text }
func (e *apiError) Unwrap() error { return e.err }

// callError is the error of a whole call, from what the SDK client returned.
// The chain of an error that the service answered ends here on purpose: below
// is its message.
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
	if errors.As(err, &unreadable) { // its text may quote the answer
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

// refusals collects the failures of a call. The entries that one code refuses
// share one error: a throttled call has hundreds.
type refusals struct {
	operation string
	code      string
	err       error
	failures  []Failure
}

// add takes the code with which the service refused the entry, if it did.
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

// maxText bounds the texts of errors, maxWord that of a code or an id.
const (
	maxText = 500
	maxWord = 80
)

// word makes a code or id fit for a text, whatever the other side sent.
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
