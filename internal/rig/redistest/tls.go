package redistest

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
)

// StartTLS is Start for a server that accepts only TLS. It also returns a
// configuration that trusts the server's certificate.
func StartTLS(tb testing.TB, args ...string) (*Server, *tls.Config) {
	tb.Helper()
	cert, key, ca, err := Certificate(tb.TempDir(), "localhost")
	if err != nil {
		tb.Fatal(err)
	}
	config, err := trust(ca)
	if err != nil {
		tb.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		tb.Fatal(err)
	}
	s := Start(tb, append(tlsArgs(port, cert, key, ca), args...)...)
	s.Addr = net.JoinHostPort("localhost", strconv.Itoa(port))
	s.URL = "rediss://" + s.Addr
	return s, config
}

// tlsArgs are the arguments of a redis-server that accepts only TLS.
func tlsArgs(port int, cert, key, ca string) []string {
	return []string{
		"--port", "0", "--tls-port", strconv.Itoa(port), "--tls-auth-clients", "no",
		"--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", ca,
	}
}

// trust returns a configuration that trusts the CA in a file.
func trust(ca string) (*tls.Config, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("reading the CA: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}
