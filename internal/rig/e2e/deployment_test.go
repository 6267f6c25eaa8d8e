//go:build e2e

package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/redistest"
)

// deployment is a deployed stack and everything around it.
type deployment struct {
	certificate certificate
	redis       *redistest.Cluster
	token       string // Redis' password
	queue       *queue.Queue
	emulator    *emulator
	cdk         *cdkApp
	cloud       *cloud

	streams stream.File
	outputs outputs
	client  *client
	archive *bucket
	// subscriber is the URL of a queue that is subscribed to the notifications.
	subscriber string

	// functions and grants are as the stack deployed them, by function.
	functions map[string]function
	grants    map[string]grants
}

// newDeployment starts everything that a deployment needs, and deploys nothing.
func newDeployment(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{certificate: newCertificate(t), functions: make(map[string]function), grants: make(map[string]grants)}
	d.redis = redistest.StartCluster(t, redistest.ClusterOptions{
		TLS: true, CertFile: d.certificate.cert, KeyFile: d.certificate.key, CAFile: d.certificate.ca,
	})
	_, port, err := net.SplitHostPort(d.redis.Nodes[0].Addr)
	if err != nil {
		t.Fatal(err)
	}
	d.emulator = startEmulator(t, d.certificate, port)
	t.Cleanup(func() {
		if d.queue != nil {
			_ = d.queue.Close()
		}
	})
	d.cdk = newCDKApp(t, d.emulator)
	d.cloud = newCloud(d.emulator)
	content, err := os.ReadFile(root(t) + "/streams.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &d.streams); err != nil {
		t.Fatal(err)
	}
	return d
}

// deploy deploys the stack with the present streams.
func (d *deployment) deploy(t *testing.T, settings ...string) {
	t.Helper()
	d.connect(t, d.cdk.deploy(t, d.streamsFile(t), settings...))
}

// connect keeps the outputs of a deployed stack and connects to it.
func (d *deployment) connect(t *testing.T, o outputs) {
	t.Helper()
	d.outputs = o
	if d.client == nil {
		d.client = &client{http: d.emulator.http, user: "datasink", password: clientPassword(t, d.cloud.secret(t, d.outputs.ClientsSecret))}
		d.archive = &bucket{s3: d.cloud.s3, read: make(map[string][]byte), accepted: make(map[string][]accepted)}
	}
	d.client.url, d.archive.name = d.outputs.ApiUrl, d.outputs.ArchiveBucket
}

func (d *deployment) streamsFile(t *testing.T) string {
	t.Helper()
	content, err := json.Marshal(d.streams)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "streams.json", content)
}

// remove removes the entry of a stream from streams.json.
func (d *deployment) remove(name string) {
	d.streams.Streams = slices.DeleteFunc(d.streams.Streams, func(s stream.Stream) bool { return s.Name == name })
}

// takeToken sets the stack's generated token as Redis' password, as ElastiCache does
// before a new cache accepts connections.
func (d *deployment) takeToken(t *testing.T) {
	t.Helper()
	d.token = d.cloud.secret(t, stackName+".cache")
	for _, node := range d.redis.Nodes {
		if err := tell(node.Socket, "CONFIG SET requirepass "+d.token); err != nil {
			t.Fatal(err)
		}
	}
	q, err := queue.Open(queue.Options{Deployment: stackName, URL: d.redis.URL, TLS: d.redis.TLS, Password: d.token, PushTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	d.queue = q
}

// tell sends a command to a Redis that has no password.
func tell(socket, command string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && line != "+OK\r\n" {
		verb, _, _ := strings.Cut(command, " ")
		err = fmt.Errorf("%s: %s", verb, strings.TrimSpace(line))
	}
	return err
}

// send sends a body that the stream must accept. The archive must then contain it,
// framed in the stream's format.
func (d *deployment) send(t *testing.T, name string, body []byte) {
	t.Helper()
	d.mustAccept(t, d.client.post(t, name, octets, body))
	d.archive.accept(name, d.framed(t, name, body), "")
}

func (d *deployment) mustAccept(t *testing.T, a answer) {
	t.Helper()
	var accepted struct{ ID string }
	if err := json.Unmarshal(a.body, &accepted); err != nil || a.status != http.StatusAccepted || accepted.ID == "" {
		t.Fatalf("answer %d %s, want 202 and an id", a.status, a.body)
	}
}

// framed returns a body as it must appear in the archive. It is implemented here
// independently, because these tests check what the functions do about newlines.
func (d *deployment) framed(t *testing.T, name string, body []byte) []byte {
	t.Helper()
	i := slices.IndexFunc(d.streams.Streams, func(s stream.Stream) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("there is no stream %s", name)
	}
	if d.streams.Streams[i].Format == stream.Raw || bytes.HasSuffix(body, []byte("\n")) {
		return body
	}
	return append(bytes.Clone(body), '\n')
}

// clientPassword returns the password of the generated client.
func clientPassword(t *testing.T, secret string) string {
	t.Helper()
	var clients map[string]string
	if err := json.Unmarshal([]byte(secret), &clients); err != nil || clients["datasink"] == "" || len(clients) != 1 {
		t.Fatalf("the clients' secret has %d clients (%v), want the generated one", len(clients), err)
	}
	return clients["datasink"]
}
