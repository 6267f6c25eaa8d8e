// Package guard protects the local pipeline's ports, which are for programs on
// this machine, from web pages and from host names that lead to this machine.
package guard

import (
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
)

// ForPrograms serves programs only. It refuses, with 403, every request that a
// web page has caused, and a request to a loopback address whose Host is not a
// loopback name: such a name has been rebound to this machine. Responses cannot be
// read, run or framed by a page, even when a person opens them in a browser.
func ForPrograms(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		if reason := refusal(r); reason != "" {
			http.Error(w, reason, http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Allows reports whether ForPrograms would serve the request.
func Allows(r *http.Request) bool { return refusal(r) == "" }

func refusal(r *http.Request) string {
	if r.Header.Get("Origin") != "" {
		return "this port is for programs, not for web pages"
	}
	// A browser sends "none" when a person has typed the address.
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "none" {
		return "this port is for programs, not for web pages"
	}
	if isLoopback(r) && !isLoopbackName(r.Host) {
		return "the Host of a request to this port must be localhost or a loopback address"
	}
	return ""
}

// isLoopback reports whether the request arrived at a loopback address. An
// unknown address counts as one.
func isLoopback(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return !ok || local.IP.IsLoopback()
}

// isLoopbackName reports whether a host, with or without a port, is localhost, a
// name below localhost or a loopback address.
func isLoopbackName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}

// WithToken serves requests with "Authorization: Bearer <token>", and refuses all
// others with 401.
func WithToken(token string, next http.Handler) http.Handler {
	want := []byte("Bearer " + token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			http.Error(w, "the token of endpoints.json is needed", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
