//go:build e2e

package e2e_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/rig/redistest"
)

const (
	account = "000000000000"
	region  = "us-east-1"
)

// certificate is the certificate of the emulator and Redis, and the CA that signed
// it.
type certificate struct {
	cert, key, ca string // files
	roots         *x509.CertPool
}

func newCertificate(tb testing.TB) certificate {
	tb.Helper()
	var c certificate
	var err error
	c.cert, c.key, c.ca, err = redistest.Certificate(tb.TempDir(), "localhost", "*.localhost", "*.execute-api.localhost")
	if err != nil {
		tb.Fatal(err)
	}
	pem, err := os.ReadFile(c.ca)
	if err != nil {
		tb.Fatal(err)
	}
	c.roots = x509.NewCertPool()
	c.roots.AppendCertsFromPEM(pem)
	return c
}

// emulator is a local AWS that enforces IAM and speaks only HTTPS.
type emulator struct {
	process  *process
	endpoint string
	// s3Endpoint has an IP address as its host, so that clients put the bucket into
	// the path: not every machine resolves the names under localhost.
	s3Endpoint  string
	certificate certificate
	// dir is the working directory of the emulator.
	dir string
	// http trusts the certificate and resolves every name under localhost.
	http *http.Client
}

// startEmulator starts the emulator. Each cache endpoint that a stack creates
// connects to the Redis at redisPort.
func startEmulator(tb testing.TB, c certificate, redisPort string) *emulator {
	tb.Helper()
	port := strconv.Itoa(freePort(tb))
	e := &emulator{
		endpoint: "https://localhost:" + port, s3Endpoint: "https://127.0.0.1:" + port,
		certificate: c, http: &http.Client{Transport: transport(c.roots)},
	}
	// The emulator's own command also listens on port 443. The server that it wraps
	// listens only where it is told to, so that two runs do not collide. Without
	// workers it is one process, and killing it leaves nothing behind.
	cmd := exec.Command(ministackPython(tb), "-m", "hypercorn", "patched:app",
		"--bind", "127.0.0.1:"+port, "--certfile", c.cert, "--keyfile", c.key, "--keep-alive", "75", "--workers", "0")
	cmd.Dir = tb.TempDir()
	e.dir = cmd.Dir
	// Functions inherit this environment, which has the endpoint and the CA. A push that
	// takes long on a busy machine must not make a direct record.
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "TMPDIR=" + cmd.Dir, "PYTHONDONTWRITEBYTECODE=1",
		"PYTHONPATH=" + filepath.Join(root(tb), "internal/rig/e2e/testdata"),
		"AUTH=true", "GATEWAY_PORT=" + port, "USE_SSL=1", "MINISTACK_SSL_CERT=" + c.cert, "MINISTACK_SSL_KEY=" + c.key,
		"REDIS_HOST=localhost", "REDIS_PORT=" + redisPort,
		"AWS_ENDPOINT_URL=" + e.endpoint, "AWS_ENDPOINT_URL_S3=" + e.s3Endpoint, "SSL_CERT_FILE=" + c.ca, "AWS_CA_BUNDLE=" + c.ca,
		env.PushTimeout + "=5s",
	}
	e.process = start(tb, cmd)
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("the emulator's last log lines:\n%s", e.process.log.tail(150))
		}
	})
	await(tb, started, "the emulator", func() error {
		select {
		case <-e.process.done:
			tb.Fatalf("the emulator ended: %v\n%s", e.process.err, e.process.log)
		default:
		}
		answer, err := e.http.Get(e.endpoint + "/_ministack/health")
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("health is %s", answer.Status)
		}
		return nil
	})
	return e
}

// refuseCaches makes the emulator refuse to create caches, or ends that.
func (e *emulator) refuseCaches(tb testing.TB, refuse bool) {
	tb.Helper()
	path := filepath.Join(e.dir, "no-caches") // see testdata/patched.py
	var err error
	if refuse {
		err = os.WriteFile(path, nil, 0o600)
	} else {
		err = os.Remove(path)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// environment returns the environment of a user of AWS's command-line tools. HOME is
// a folder of the run, where the CDK caches what it knows about accounts.
func (e *emulator) environment(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home,
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region,
		"AWS_ENDPOINT_URL=" + e.endpoint, "AWS_ENDPOINT_URL_S3=" + e.s3Endpoint,
		"AWS_CA_BUNDLE=" + e.certificate.ca, "NODE_EXTRA_CA_CERTS=" + e.certificate.ca,
	}
}

func transport(roots *x509.CertPool) *http.Transport {
	var dialer net.Dialer
	return &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			if host == "localhost" || strings.HasSuffix(host, ".localhost") {
				address = net.JoinHostPort("127.0.0.1", port)
			}
			return dialer.DialContext(ctx, network, address)
		},
	}
}

func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// await calls check until it returns no error. It fails the test with the last error
// after limit.
func await(tb testing.TB, limit time.Duration, what string, check func() error) {
	tb.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("waited %v for %s: %v", limit, what, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// write writes a file into a new folder and returns its path.
func write(tb testing.TB, name string, content []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
