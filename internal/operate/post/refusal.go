package post

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Refusal is a response of the API other than 202.
type Refusal struct {
	Status int
	// Code and Detail come from the problem document. Code is empty if API Gateway
	// answered without the function.
	Code, Detail string
	retryAfter   time.Duration
}

// remedies say what the user of the command can do after a response with a code.
var remedies = map[string]string{
	"unauthorized":   "set --user and --password",
	"forbidden":      "datasink credentials ls shows the streams of each client",
	"unknown_stream": "datasink status lists the streams",
}

func (r *Refusal) Error() string {
	text := strconv.Itoa(r.Status)
	if r.Code != "" {
		text += " " + r.Code
	}
	if r.Detail != "" {
		text += ": " + r.Detail
	}
	if remedy := remedies[r.Code]; remedy != "" {
		text += "; " + remedy
	}
	return text
}

// OfAll reports whether the API refuses every other body of the same stream and
// client too.
func (r *Refusal) OfAll() bool {
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	}
	return r.Status >= 300 && r.Status < 400
}

// lacksBatches reports whether the API or the stream may take no batches: an older
// API has no such route, and a raw stream has no lines.
func (r *Refusal) lacksBatches() bool {
	return r.Status == http.StatusNotFound || r.Code == "not_a_lines_stream"
}

// IsFinal reports whether the same body would be refused again.
func (r *Refusal) IsFinal() bool { return !r.mayPass() }

func (r *Refusal) mayPass() bool {
	return r.Status == http.StatusTooManyRequests || r.Status >= http.StatusInternalServerError || r.Status == http.StatusRequestTimeout
}

func refusalOf(response *http.Response, answer []byte) *Refusal {
	r := &Refusal{Status: response.StatusCode}
	var problem struct {
		Code    string `json:"code"`
		Detail  string `json:"detail"`
		Message string `json:"message"` // of API Gateway
	}
	if json.Unmarshal(answer, &problem) == nil {
		r.Code, r.Detail = problem.Code, problem.Detail
		if r.Detail == "" {
			r.Detail = problem.Message
		}
	}
	if r.Status >= 300 && r.Status < 400 {
		r.Detail = "the API redirects to another URL, which is not followed"
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		r.retryAfter = min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	return r
}
