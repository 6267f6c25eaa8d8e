package ingest_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

func TestSuccessIsSilent(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.do(post(t, "hello"), 202)
	s.invoke(t.Context(), healthEvent())
	if s.logs.Len() != 0 {
		t.Errorf("logged %s", s.logs.String())
	}
}

func TestOversizeIsAnInfoLine(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.do(post(t, strings.Repeat("b", stream.MaxFramedBytes)), 202)
	if lines := s.lines(); len(lines) != 1 || lines[0]["msg"] != "record_archived" || lines[0]["level"] != "INFO" || lines[0]["reason"] != "oversize" {
		t.Errorf("logged %v", lines)
	}
}

func TestAuthenticationFailuresAreLoggedOnce(t *testing.T) {
	t.Parallel()
	s := newService(t)
	strangers := []func(*http.Request){
		as("datasink", "Zecret"), as("checkout", "Zecret"), as("Zecret1234567890", ""), as("bob", "Zecret"), as("é\x00\n\x1b[31m", "Zecret"), without("Authorization"),
		with("Authorization", "Bearer Zecret"),
	}
	for range 50 {
		for _, stranger := range strangers {
			s.do(post(t, "hello", stranger), 401)
		}
	}
	want := []string{"datasink true", "checkout true", "Zecr… false", "bob… false", "???… false", "(none) false"}
	check := func() {
		t.Helper()
		lines := s.lines()
		if len(lines) != len(want) {
			t.Fatalf("logged %d lines, want %d:\n%s", len(lines), len(want), s.logs.String())
		}
		for i, line := range lines {
			if got := fmt.Sprint(line["client"], " ", line["known"]); line["msg"] != "authentication_failed" || line["level"] != "WARN" || got != want[i] {
				t.Errorf("line %d = %v, want %s", i, line, want[i])
			}
		}
		if strings.Contains(s.logs.String(), "Zecret") {
			t.Errorf("a credential was logged: %s", s.logs.String())
		}
	}
	check()
	s.logs.Reset()
	s.now = s.now.Add(time.Minute)
	for _, stranger := range strangers {
		s.do(post(t, "hello", stranger), 401)
	}
	check()
}

// Names that strangers choose do not fill the log or the memory, and they do not
// prevent the log lines of known clients.
func TestHostileNamesAreBounded(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for i := range 300 {
		s.do(post(t, "hello", as(fmt.Sprintf("%04d", i)+strings.Repeat("x", 1000), "p")), 401)
	}
	if lines := s.lines(); len(lines) != 64 {
		t.Errorf("logged %d lines, want 64", len(lines))
	}
	if s.logs.Len() > 64*200 {
		t.Errorf("logged %d bytes", s.logs.Len())
	}
	s.logs.Reset()
	s.do(post(t, "hello", as("datasink", "wrong")), 401)
	if lines := s.lines(); len(lines) != 1 || lines[0]["client"] != "datasink" {
		t.Errorf("logged %v, want the known client", lines)
	}
}

func TestRefusalsAreLoggedOnceForEachClient(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for range 50 {
		s.do(post(t, "hello", with("Content-Encoding", "br")), 415)
		s.do(post(t, "hello", at("/archives/"+strings.Repeat("Zecret", 1000))), 404)
		s.do(post(t, "Zecret", with("Content-Encoding", "gzip")), 400)
		s.do(post(t, "hello", as("checkout", "pass:word"), at("/archives/Zecret")), 403)
	}
	want := []string{"datasink unsupported_encoding orders", "datasink unknown_stream <nil>", "datasink bad_encoding orders", "checkout forbidden <nil>"}
	lines := s.lines()
	if len(lines) != len(want) {
		t.Fatalf("logged %d lines, want %d:\n%s", len(lines), len(want), s.logs.String())
	}
	for i, line := range lines {
		if got := fmt.Sprint(line["client"], " ", line["code"], " ", line["stream"]); line["msg"] != "record_refused" || line["level"] != "WARN" || got != want[i] {
			t.Errorf("line %d = %v, want %s", i, line, want[i])
		}
	}
	if strings.Contains(s.logs.String(), "Zecret") {
		t.Errorf("something that a client chose was logged: %s", s.logs.String())
	}
}

func TestCredentialsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := newService(t, func(s *service) {
		s.secret = func(context.Context) ([]byte, error) { return []byte(`{"a":{"Zecret":1}}`), nil }
	})
	for range 50 {
		s.do(post(t, "hello"), 503)
	}
	lines := s.lines()
	if len(lines) != 2 || lines[0]["msg"] != "credentials_refresh_failed" || lines[1]["msg"] != "credentials_unusable" {
		t.Errorf("logged %v, want the failed refresh and its consequence once each", lines)
	}
	if strings.Contains(s.logs.String(), "Zecret") {
		t.Errorf("a part of the secret was logged: %s", s.logs.String())
	}
}

// No request gets 401 during the rotation of a password.
func TestRotation(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.do(post(t, "hello"), 202)
	s.secret = func(context.Context) ([]byte, error) {
		return []byte(`{"datasink":{"passwords":["hunter2","hunter3"]}}`), nil
	}
	for range 20 {
		s.do(post(t, "hello"), 202)
		s.do(post(t, "hello", as("datasink", "hunter3")), 202)
	}
	if s.logs.Len() != 0 {
		t.Errorf("logged %s", s.logs.String())
	}
}
