package ingest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

func healthEvent() events.APIGatewayV2HTTPRequest {
	e := events.APIGatewayV2HTTPRequest{RouteKey: "GET /health", RawPath: "/health"}
	e.RequestContext.HTTP.Method = http.MethodGet
	return e
}

func TestHealth(t *testing.T) {
	t.Parallel()
	down := func(context.Context) error { return errors.New("secret detail") }
	for _, tt := range []struct {
		name                     string
		secrets, queue, archives bool
		status                   int
	}{
		{"all well", true, true, true, 200},
		{"queue down", true, false, true, 200},
		{"archive down", true, true, false, 200},
		{"queue and archive down", true, false, false, 503},
		{"secrets down", false, true, true, 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			if !tt.secrets {
				s.secret = func(context.Context) ([]byte, error) { return nil, errDown }
			}
			if !tt.queue {
				s.queue.ping = down
			}
			if !tt.archives {
				s.archive.check = down
			}
			for _, change := range []func(*events.APIGatewayV2HTTPRequest){
				func(*events.APIGatewayV2HTTPRequest) {},
				func(e *events.APIGatewayV2HTTPRequest) { e.RouteKey = "$default" },
				func(e *events.APIGatewayV2HTTPRequest) { e.RawPath = "/base/health" },
			} {
				e := healthEvent()
				change(&e)
				response := s.invoke(t.Context(), e)
				body, err := io.ReadAll(response.Body)
				if err != nil {
					t.Fatal(err)
				}
				if response.StatusCode != tt.status || response.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("status = %d, Cache-Control = %q, want %d, no-store", response.StatusCode, response.Header.Get("Cache-Control"), tt.status)
				}
				want := `{"status":"ok"}`
				if tt.status != 200 {
					want = `{"type":"about:blank","title":"Service Unavailable","status":503,"code":"unavailable","detail":"records cannot be accepted at present","request_id":""}`
				}
				if string(body) != want {
					t.Errorf("body = %s, want %s", body, want)
				}
			}
		})
	}
}

// A Redis that answers pings but refuses records is unhealthy.
func TestHealthWhileTheBreakerIsOpen(t *testing.T) {
	t.Parallel()
	s := newService(t, queueDown)
	for range 3 {
		s.do(post(t, "hello"), 202)
	}
	if got := s.invoke(t.Context(), healthEvent()).StatusCode; got != 200 {
		t.Errorf("status = %d with an archive, want 200", got)
	}
	s.archive.check = func(context.Context) error { return errDown }
	if got := s.invoke(t.Context(), healthEvent()).StatusCode; got != 503 {
		t.Errorf("status = %d with an open breaker and no archive, want 503", got)
	}
}

func TestHealthDoesNotHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		s := newService(t)
		s.queue.ping, s.archive.check = hang, hang
		start := time.Now()
		if got := s.invoke(t.Context(), healthEvent()).StatusCode; got != 503 {
			t.Errorf("status = %d, want 503", got)
		}
		if waited := time.Since(start); waited > 5*time.Second {
			t.Errorf("the answer took %v", waited)
		}
	})
}
