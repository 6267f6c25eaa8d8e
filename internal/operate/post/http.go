package post

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

var defaultHTTP = NewHTTP(16)

// NewHTTP returns an HTTP client that keeps up to concurrency connections.
func NewHTTP(concurrency int) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = concurrency
	transport.DialContext = dial
	transport.Proxy = proxy
	return &http.Client{Transport: transport, Timeout: 35 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a redirect must not carry the password to another host
	}}
}

// CheckURL returns an error if address is not the URL of an API: an https URL, or an
// http URL of this machine, without credentials, query or the path /archives.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("URL %q: want https://HOST, or http://HOST for a host on this machine", address)
	case u.User != nil:
		return errors.New("the URL contains credentials: set the user and the password instead")
	case u.RawQuery != "" || u.Fragment != "" || strings.Contains(u.Path, "/archives"):
		return fmt.Errorf("URL %q: want the URL of the API, without /archives and without a query", address)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return fmt.Errorf("URL %q: a password over plain HTTP to another host can be read on the way: want https", address)
	}
	return nil
}

// isLoopback reports whether a host name is a name or an address of this machine.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && ip.IsLoopback()
}

// proxy returns the proxy of the environment, or none for a host on this machine.
func proxy(r *http.Request) (*url.URL, error) {
	if isLoopback(r.URL.Hostname()) {
		return nil, nil
	}
	return http.ProxyFromEnvironment(r)
}

// dial resolves every name under .localhost to the loopback address, as RFC 6761
// requires and some resolvers do not. Emulators use such names for their APIs.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
		address = net.JoinHostPort("localhost", port)
	}
	return dialer.DialContext(ctx, network, address)
}
