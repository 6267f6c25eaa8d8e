package gateway

import (
	"net/http"
	"slices"
	"strings"
)

// The CORS configuration of the stack's HTTP API.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
var (
	corsMethods = "POST"
	corsHeaders = strings.Join([]string{"authorization", "content-encoding", "content-type", "idempotency-key"}, ",")
	corsExposed = strings.Join([]string{"apigw-requestid", "idempotency-replayed", "retry-after"}, ",")
)

const corsMaxAge = "7200" // seconds

// answerCORS adds the CORS headers that API Gateway adds for an allowed origin.
// It reports whether the request was a preflight, which it has then answered.
// Credentials of the browser are never allowed.
func (g *Gateway) answerCORS(w http.ResponseWriter, r *http.Request) (answered bool) {
	if len(g.CORSOrigins) == 0 {
		return false
	}
	header := w.Header()
	header.Add("Vary", "Origin")
	preflight := r.Method == http.MethodOptions
	if origin := r.Header.Get("Origin"); slices.Contains(g.CORSOrigins, origin) {
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Expose-Headers", corsExposed)
		if preflight {
			header.Set("Access-Control-Allow-Methods", corsMethods)
			header.Set("Access-Control-Allow-Headers", corsHeaders)
			header.Set("Access-Control-Max-Age", corsMaxAge)
		}
	}
	if preflight {
		w.WriteHeader(http.StatusNoContent)
	}
	return preflight
}
