package awstest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// jsonError is an error of a service that speaks AWS JSON 1.0 or 1.1.
type jsonError struct {
	status        int
	code, message string
}

var internalFailure = jsonError{http.StatusInternalServerError, "InternalFailure", "injected"}

func badRequest(code, format string, args ...any) *jsonError {
	return &jsonError{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

func (e jsonError) write(w http.ResponseWriter) {
	writeJSON(w, e.status, map[string]string{"__type": e.code, "message": e.message})
}

func writeJSON(w http.ResponseWriter, status int, answer any) {
	b, err := json.Marshal(answer)
	if err != nil {
		panic(err) // answers are maps and structs of strings and numbers
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_, _ = w.Write(b) // the caller may be gone
}

// readJSON reads the call's input; what is no JSON makes it an error.
func readJSON(r *http.Request, op *operation, into any) bool {
	// To its end: only then does the server notice that a caller goes.
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		op.refuse(jsonError{http.StatusBadRequest, "SerializationException", err.Error()})
		return false
	}
	return true
}

// readGetSecretValue is Secrets Manager.
func (s *Server) readGetSecretValue(r *http.Request, op *operation) {
	var in struct{ SecretId string }
	if !readJSON(r, op, &in) {
		return
	}
	op.call.Resource = in.SecretId
	s.mu.Lock()
	_, ok := s.secrets[in.SecretId]
	s.mu.Unlock()
	if !ok {
		op.refuse(*badRequest("ResourceNotFoundException", "no secret %s", in.SecretId))
		return
	}
	op.effect = func(func() bool) (int, func(http.ResponseWriter)) {
		s.mu.Lock()
		value := s.secrets[in.SecretId]
		s.mu.Unlock()
		return 0, func(w http.ResponseWriter) {
			writeJSON(w, http.StatusOK, map[string]string{"ARN": in.SecretId, "Name": in.SecretId, "SecretString": value, "VersionId": "1"})
		}
	}
}
