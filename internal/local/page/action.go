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
)

const (
	// maxForm is the largest form that is taken, maxSend the most records of one.
	maxForm = 2 << 20
	maxSend = 1000
)

// sentResult is what became of the last form.
type sentResult struct {
	At   time.Time
	Text string
	OK   bool
}

// send posts the record of a form, as often as the form says, by the path that all
// clients take.
func (s *site) send(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.sent(w, r, "The form is too large, or no form.", false)
		return
	}
	name := s.page.query(r.PostForm).stream
	// A form has its lines end in CR LF, whatever was typed.
	body := []byte(strings.ReplaceAll(r.PostForm.Get("body"), "\r\n", "\n"))
	times, err := strconv.Atoi(r.PostForm.Get("times"))
	if err != nil || times < 1 || times > maxSend {
		s.sent(w, r, fmt.Sprintf("Send it 1 to %d times.", maxSend), false)
		return
	}
	var answer *recorder
	for n := range times {
		if answer = s.post(r, name, r.PostForm.Get("key"), body); answer.status != http.StatusAccepted {
			s.sent(w, r, fmt.Sprintf("%s answered %d: %s. %s of %s were accepted before.", name, answer.status, answer.problem(), count(n), count(times)), false)
			return
		}
	}
	text := fmt.Sprintf("%s accepted the record %s.", name, answer.id())
	if times > 1 {
		text = fmt.Sprintf("%s accepted %s records, the last is %s.", name, count(times), answer.id())
	}
	s.sent(w, r, text, true)
}

// post is one request to the HTTP API.
func (s *site) post(r *http.Request, name, key string, body []byte) *recorder {
	target := "http://" + r.Host + "/archives/" + url.PathEscape(name)
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
	p.sent = sentResult{At: p.o.Now(), Text: text, OK: ok}
	p.mu.Unlock()
	back(w, r, p.query(r.PostForm), "send")
}

// fault starts or ends one.
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

// back leads a browser from a form to the page.
func back(w http.ResponseWriter, r *http.Request, q query, section string) {
	http.Redirect(w, r, q.href(q.stream, q.at, q.object)+"#"+section, http.StatusSeeOther)
}

// recorder is a ResponseWriter that keeps a short answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }

func (w *recorder) id() string {
	var accepted struct{ ID string }
	_ = json.Unmarshal(w.body.Bytes(), &accepted) // An answer without an id shows none.
	return accepted.ID
}

func (w *recorder) problem() string {
	var told struct{ Code, Detail, Message string }
	_ = json.Unmarshal(w.body.Bytes(), &told) // The status says the rest.
	switch {
	case told.Detail != "":
		return strings.TrimSuffix(told.Detail, ".")
	case told.Message != "":
		return told.Message
	}
	return http.StatusText(w.status)
}
