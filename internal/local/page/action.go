package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

const (
	// maxForm is the maximum size of a form in bytes, maxSend the maximum number of
	// requests that one form sends.
	maxForm = 2 << 20
	maxSend = 1000
)

// sentResult is the outcome of the last form that was sent.
type sentResult struct {
	At   time.Time
	Text string
	OK   bool
}

// send posts the body of a form to the HTTP API, as often as the form says.
func (s *site) send(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.sent(w, r, "Not sent: the form is too large or malformed.", false)
		return
	}
	name := s.page.query(r.PostForm).stream
	// Browsers send each line break of a form as CR LF.
	body := []byte(strings.ReplaceAll(r.PostForm.Get("body"), "\r\n", "\n"))
	times, err := strconv.Atoi(r.PostForm.Get("times"))
	if err != nil || times < 1 || times > maxSend {
		s.sent(w, r, fmt.Sprintf("Not sent: a body can be sent 1 to %d times.", maxSend), false)
		return
	}
	isBatch := s.page.meter(name).stream.Load().Format == stream.Lines && hasLines(body)
	accepted := 0
	var answer *recorder
	for n := range times {
		if answer = s.post(r, name, r.PostForm.Get("key"), body, isBatch); answer.status != http.StatusAccepted {
			s.sent(w, r, notSent(name, answer, n, times, isBatch), false)
			return
		}
		_, records := answer.accepted()
		accepted += records
	}
	id, _ := answer.accepted()
	s.sent(w, r, sentText(name, id, accepted, times, isBatch), true)
}

// hasLines reports whether a body has more than one line.
func hasLines(body []byte) bool { return bytes.ContainsRune(bytes.TrimSpace(body), '\n') }

// sentText describes the answers to a body that was sent n times. id is the id of
// the last answer.
func sentText(name, id string, records, n int, isBatch bool) string {
	switch {
	case isBatch && n > 1:
		return fmt.Sprintf("%s accepted %s records in %s batches, the first of the last batch is %s.", name, count(records), count(n), id)
	case isBatch:
		return fmt.Sprintf("%s accepted a batch of %s, the first is %s.", name, plural(int64(records), "record", "records"), id)
	case n > 1:
		return fmt.Sprintf("%s accepted %s records, the last is %s.", name, count(records), id)
	}
	return fmt.Sprintf("%s accepted the record %s.", name, id)
}

// notSent describes the answer to a body that was refused after it had been accepted
// n of times.
func notSent(name string, answer *recorder, n, times int, isBatch bool) string {
	text := fmt.Sprintf("%s answered %d: %s.", name, answer.status, answer.problem())
	switch {
	case n == 0:
		return "Not sent: " + text
	case isBatch:
		return fmt.Sprintf("%s of %s batches sent, then %s", count(n), count(times), text)
	}
	return fmt.Sprintf("%s of %s records sent, then %s", count(n), count(times), text)
}

// post makes one request to the HTTP API.
func (s *site) post(r *http.Request, name, key string, body []byte, isBatch bool) *recorder {
	target := "http://" + r.Host + "/archives/" + url.PathEscape(name)
	if isBatch {
		target += "/batch"
	}
	if key != "" {
		target += "?partition_key=" + url.QueryEscape(key)
	}
	answer := &recorder{header: make(http.Header), status: http.StatusOK}
	request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		answer.status = http.StatusBadRequest
		return answer
	}
	request.RemoteAddr = r.RemoteAddr
	request.Header.Set("Content-Type", "application/octet-stream")
	request.Header.Set("User-Agent", "datasink-page")
	request.SetBasicAuth(s.page.o.User, s.page.o.Password)
	s.api.ServeHTTP(answer, request)
	return answer
}

func (s *site) sent(w http.ResponseWriter, r *http.Request, text string, ok bool) {
	p := s.page
	p.mu.Lock()
	p.sent = sentResult{At: time.Now(), Text: text, OK: ok}
	p.mu.Unlock()
	back(w, r, p.query(r.PostForm), "send")
}

// fault starts or ends a fault.
func (s *site) fault(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "no such fault", http.StatusBadRequest)
		return
	}
	kind := -1
	for i, k := range faultKinds {
		if k.ID == r.PostForm.Get("fault") {
			kind = i
		}
	}
	state := r.PostForm.Get("state")
	if kind < 0 || state != "on" && state != "off" {
		http.Error(w, "no such fault", http.StatusBadRequest)
		return
	}
	s.page.set(kind, state == "on")
	back(w, r, s.page.query(r.PostForm), "faults")
}

// back redirects a browser from a form to the page.
func back(w http.ResponseWriter, r *http.Request, q query, section string) {
	http.Redirect(w, r, q.href()+"#"+section, http.StatusSeeOther)
}

// recorder is a ResponseWriter that records a short answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }

// accepted returns the id of a 202 answer and the number of records.
func (w *recorder) accepted() (id string, records int) {
	answer := struct {
		ID      string
		Records int
	}{Records: 1} // for a single record
	_ = json.Unmarshal(w.body.Bytes(), &answer) // The ID stays empty if the answer has none.
	return answer.ID, answer.Records
}

func (w *recorder) problem() string {
	var problem struct{ Code, Detail, Message string }
	_ = json.Unmarshal(w.body.Bytes(), &problem) // The fields stay empty if the answer has none.
	switch {
	case problem.Detail != "":
		return strings.TrimSuffix(problem.Detail, ".")
	case problem.Message != "":
		return problem.Message
	}
	return http.StatusText(w.status)
}
