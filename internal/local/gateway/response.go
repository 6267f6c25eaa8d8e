package gateway

import (
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
)

// response is the function's response in payload format 2.0.
type response struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Cookies         []string          `json:"cookies"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

// respond writes the function's response. A malformed response becomes a 500.
func respond(w http.ResponseWriter, answer []byte) {
	var response response
	if err := json.Unmarshal(answer, &response); err != nil || response.StatusCode < 200 || response.StatusCode > 599 {
		refuse(w, http.StatusInternalServerError)
		return
	}
	body := []byte(response.Body)
	if response.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(response.Body); err != nil {
			refuse(w, http.StatusInternalServerError)
			return
		}
	}
	header := w.Header()
	for name, value := range response.Headers {
		header.Set(name, value)
	}
	for _, cookie := range response.Cookies {
		header.Add("Set-Cookie", cookie)
	}
	if header.Get("Content-Type") == "" && len(body) > 0 {
		header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.WriteHeader(response.StatusCode)
	_, _ = w.Write(body) // The client may have disconnected.
}

// refuse writes an error in the form of API Gateway's own errors.
func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"message":"`+http.StatusText(status)+`"}`) // The client may have disconnected.
}

// NewServer returns an HTTP server that bounds how long a slow or an idle client
// holds a connection. It does not bound the time of a whole request, because
// requests may be held back. A connection may be idle equally long before its
// first request and between two requests.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    10 << 10, // as API Gateway
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
