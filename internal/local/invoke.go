package local

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
)

// invokePath begins the paths of Lambda's Invoke API.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
const invokePath = "/2015-03-31/functions/"

// api is the HTTP API with what its seam puts around it.
func (p *Pipeline) api() http.Handler {
	if p.o.Seams.API == nil {
		return p.gateway
	}
	return p.o.Seams.API(p.Addr(), p.gateway)
}

// maxCommand is the largest event that the Invoke API takes here: it serves the
// operator's questions.
const maxCommand = 64 << 10

// invokeAPI serves Lambda's Invoke API for one function, to callers on this
// machine that are no web pages; all other requests go on to next. It checks no
// signature.
func invokeAPI(f *Function, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, invokePath)
		if !ok || !fromHere(r) {
			next.ServeHTTP(w, r)
			return
		}
		if rest != f.Name+"/invocations" || r.Method != http.MethodPost {
			invokeError(w, http.StatusNotFound, "ResourceNotFoundException", "no such function")
			return
		}
		event, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCommand))
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			invokeError(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException", "event too large")
			return
		case err != nil:
			invokeError(w, http.StatusBadRequest, "InvalidRequestContentException", "event not read")
			return
		}
		answer, err := f.Invoke(r.Context(), event)
		if err != nil {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			answer, _ = json.Marshal(map[string]string{"errorMessage": err.Error(), "errorType": "Error"}) // Strings always encode.
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer) // The caller may have gone.
	})
}

func invokeError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("X-Amzn-Errortype", code)
	http.Error(w, `{"message":"`+message+`"}`, status)
}

// fromHere reports whether a request comes from a program on this machine.
func fromHere(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	return err == nil && net.ParseIP(host).IsLoopback() && r.Header.Get("Origin") == ""
}
