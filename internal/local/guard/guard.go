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
// web page has caused, and every request whose Host could be a name of the public
// DNS, because a web page can rebind such a name to this machine. A loopback address
// serves only loopback names. Any other address, such as that of a container, also
// serves IP addresses, names without a dot and host.docker.internal. Responses cannot
// be read, run or framed by a page, even when a person opens them in a browser.
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

// refusal returns why a request is refused, or an empty string.
func refusal(r *http.Request) string {
	if r.Header.Get("Origin") != "" {
		return "this port is for programs, not for web pages"
	}
	// A browser sends "none" when a person has typed the address.
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "none" {
		return "this port is for programs, not for web pages"
	}
	host := hostname(r.Host)
	switch {
	case isLoopbackName(host):
		return ""
	case isLoopback(r):
		return "the Host of a request to this port must be localhost or a loopback address"
	case !isPrivateName(host):
		return "the Host of a request to this port must be an IP address, localhost or a name without a dot"
	}
	return ""
}

// isLoopback reports whether the request arrived at a loopback address. An
// unknown address counts as one.
func isLoopback(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return !ok || local.IP.IsLoopback()
}

// hostname returns a host without its port, in lower case.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// isLoopbackName reports whether a host is localhost, a name below localhost or a
// loopback address.
func isLoopbackName(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}

// isPrivateName reports whether a host is an IP address or a name that the public
// DNS does not have: a name without a dot, as the services of Docker Compose have, or
// Docker's name for the host of a container.
func isPrivateName(host string) bool {
	return net.ParseIP(host) != nil || host != "" && !strings.Contains(host, ".") || host == "host.docker.internal"
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
