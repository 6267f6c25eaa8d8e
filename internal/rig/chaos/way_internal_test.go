package chaos

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/rig/redistest"
)

// echo starts a server that answers each line with its name and the line.
func echo(t *testing.T, name string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				for r := bufio.NewReader(conn); ; {
					line, err := r.ReadString('\n')
					if err != nil {
						_ = conn.Close()
						return
					}
					_, _ = io.WriteString(conn, name+" "+line)
				}
			}()
		}
	}()
	return l.Addr().String()
}

// ask sends a line and returns the answer.
func ask(conn net.Conn, line string) (string, error) { return askWithin(conn, line, time.Minute) }

func askWithin(conn net.Conn, line string, timeout time.Duration) (string, error) {
	_ = conn.SetDeadline(time.Now().Add(timeout))
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

func dial(t *testing.T, r *relay) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", r.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func newRelayTo(t *testing.T, upstream string, certificate *tls.Certificate) *relay {
	t.Helper()
	r, err := startRelay(newWay(upstream), certificate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	return r
}

func TestAWayLosesBytesOfAConnectionThatStaysOpen(t *testing.T) {
	t.Parallel()
	for _, c := range []condition{unanswered, partitioned} {
		r := newRelayTo(t, echo(t, "a"), nil)
		conn := dial(t, r)
		if got, err := ask(conn, "one"); err != nil || got != "a one\n" {
			t.Fatalf("ask = %q, %v", got, err)
		}
		r.way.set(c)
		if got, err := askWithin(conn, "two", 200*time.Millisecond); err == nil || !isTimeout(err) {
			t.Errorf("ask while bytes are lost = %q, %v, want a time-out", got, err)
		}
		r.way.set(whole)
		if got, err := ask(conn, "three"); err == nil || isTimeout(err) {
			t.Errorf("ask afterwards = %q, %v, want a closed connection", got, err)
		}
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error) // as the connection returns it
	return ok && timeout.Timeout()
}

func TestACutWayClosesEveryConnection(t *testing.T) {
	t.Parallel()
	r := newRelayTo(t, echo(t, "a"), nil)
	old := dial(t, r)
	if _, err := ask(old, "one"); err != nil {
		t.Fatal(err)
	}
	r.way.set(cut)
	for _, conn := range []net.Conn{old, dial(t, r)} {
		if got, err := ask(conn, "two"); err == nil || isTimeout(err) {
			t.Errorf("ask on a cut way = %q, %v, want a closed connection", got, err)
		}
	}
	r.way.set(whole)
	if got, err := ask(dial(t, r), "three"); err != nil || got != "a three\n" {
		t.Errorf("ask afterwards = %q, %v", got, err)
	}
}

func TestASlowWayDelaysAnswers(t *testing.T) {
	t.Parallel()
	r := newRelayTo(t, echo(t, "a"), nil)
	conn := dial(t, r)
	r.way.set(slow)
	begun := time.Now()
	if got, err := ask(conn, "one"); err != nil || got != "a one\n" || time.Since(begun) < slowest/5 {
		t.Errorf("ask on a slow way = %q, %v after %v", got, err, time.Since(begun))
	}
}

func TestARedirectedWayClosesItsConnections(t *testing.T) {
	t.Parallel()
	r := newRelayTo(t, echo(t, "a"), nil)
	conn := dial(t, r)
	if _, err := ask(conn, "one"); err != nil {
		t.Fatal(err)
	}
	r.way.redirect(echo(t, "b"))
	if got, err := ask(conn, "two"); err == nil {
		t.Errorf("ask on an old connection = %q, want an error", got)
	}
	if got, err := ask(dial(t, r), "three"); err != nil || got != "b three\n" {
		t.Errorf("ask on a new connection = %q, %v", got, err)
	}
}

func TestAWayClosesIdleTLSConnections(t *testing.T) {
	t.Parallel()
	cert, key, ca, err := redistest.Certificate(t.TempDir(), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	r := newRelayTo(t, echo(t, "a"), &certificate)
	conn := tls.Client(dial(t, r), &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12})
	if got, err := ask(conn, "one"); err != nil || got != "a one\n" {
		t.Fatalf("ask = %q, %v", got, err)
	}
	if n := r.way.closeIdle(time.Hour); n != 0 {
		t.Errorf("closeIdle(1h) closed %d connections, want none", n)
	}
	if n := r.way.closeIdle(0); n != 1 {
		t.Errorf("closeIdle(0) closed %d connections, want one", n)
	}
	if got, err := ask(conn, "two"); err == nil {
		t.Errorf("ask on a closed connection = %q, want an error", got)
	}
}
