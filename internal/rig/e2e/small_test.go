//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// TestSmallProfile deploys the stack with profile=small: a function URL, IPv6 egress and
// a serverless cache, whose user may do only what the queue needs. It also has tables,
// notifications and a verifier that writes manifests.
func TestSmallProfile(t *testing.T) {
	t.Parallel()
	newDeployment(t).take(t, []step{
		{"bootstrap", (*deployment).testBootstrap},
		{"deploy the small profile", (*deployment).testDeploySmall},
		{"accept by the function URL", (*deployment).testAcceptByURL},
		{"refuse by the function URL", (*deployment).testRefuseByURL},
		{"a stream without a tap", (*deployment).testWithoutTap},
		{"change a tap", (*deployment).testChangeTap},
		{"tables", (*deployment).testTables},
		{"run statements in Athena", (*deployment).testAthena},
		{"outputs of a stream", (*deployment).testNestedOutputs},
		{"notifications", (*deployment).testNotifications},
		{"manifest of an hour", (*deployment).testManifest},
		{"destroy", (*deployment).testDestroy},
	})
}

func (d *deployment) testDeploySmall(t *testing.T) {
	d.streams.Streams = append(d.streams.Streams, stream.Stream{Name: tapless, Tap: stream.TapOff})
	d.deploySmall(t)
	d.takeUser(t)
	kinds := d.resources(t)
	if kinds["AWS::Lambda::Url"] != 1 || kinds["AWS::ElastiCache::User"] != 1 {
		t.Errorf("the stack has %v, want a function URL and a user of the cache", kinds)
	}
	if n := kinds["AWS::ApiGatewayV2::Api"]; n > 0 {
		t.Errorf("%d APIs beside the function URL", n)
	}
}

// deploySmall deploys the small profile with the present streams.
func (d *deployment) deploySmall(t *testing.T) {
	t.Helper()
	d.cdk.synth(t, d.streamsFile(t), "profile=small", "verifyHours=1", "lake=true", "objectsTopic=true")
	rewriteForEmulator(t, d.cdk.assembly)
	d.connect(t, d.cdk.deployAssembly(t))
	d.client.url = d.functionURL(t)
}

// functionURL returns the address at which the emulator serves the function URL: by its
// path, because by its host the emulator answers GET /health itself.
func (d *deployment) functionURL(t *testing.T) string {
	t.Helper()
	if strings.HasSuffix(d.outputs.ApiUrl, "/") {
		t.Errorf("ApiUrl is %s, want it without a slash at its end", d.outputs.ApiUrl)
	}
	u, err := url.Parse(d.outputs.ApiUrl)
	if err != nil {
		t.Fatal(err)
	}
	id, _, found := strings.Cut(u.Hostname(), ".lambda-url.")
	if !found {
		t.Fatalf("ApiUrl is %s, want a function URL", d.outputs.ApiUrl)
	}
	return d.emulator.endpoint + "/_aws/lambda-url/" + id
}

// takeUser creates the user of the stack's secret in Redis and disables the default user,
// as ElastiCache does for a user group.
func (d *deployment) takeUser(t *testing.T) {
	t.Helper()
	var secret struct{ Username, Password string }
	if err := json.Unmarshal([]byte(d.cloud.secret(t, stackName+".cache-user")), &secret); err != nil || secret.Password == "" {
		t.Fatalf("the secret of the cache: user %q, error %v", secret.Username, err)
	}
	for _, node := range d.redis.Nodes {
		for _, command := range []string{
			"ACL SETUSER " + secret.Username + " on >" + secret.Password + " " + queue.ACL(stackName), "ACL SETUSER default off",
		} {
			if err := tell(node.Socket, command); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// testAcceptByURL sends a text, a binary and a compressed body and a batch, and finds
// each in the archive.
func (d *deployment) testAcceptByURL(t *testing.T) {
	if err := d.health(t); err != nil {
		t.Errorf("GET /health: %v", err)
	}
	d.send(t, "orders", text("by the function URL"))
	d.send(t, "orders", binary("binary", 2000))
	body := text("compressed")
	d.mustAccept(t, d.client.post(t, "orders", octets, gzipped(t, body), encodedAs("application/gzip")))
	d.archive.accept("orders", d.framed(t, "orders", body), "")

	lines := [][]byte{text("first line"), text("second line"), text("third line")}
	a := d.client.post(t, "orders/batch", "application/x-ndjson", bytes.Join(lines, []byte("\n")))
	var accepted struct{ Records int }
	if err := json.Unmarshal(a.body, &accepted); err != nil || a.status != http.StatusAccepted || accepted.Records != len(lines) {
		t.Fatalf("a batch: %d %s, want 202 and %d records", a.status, a.body, len(lines))
	}
	for _, line := range lines {
		d.archive.accept("orders", d.framed(t, "orders", line), "")
	}
	d.archive.awaitAll(t, archived)
}

// testRefuseByURL sends what API Gateway would refuse. A function URL passes every
// request to ingest.
func (d *deployment) testRefuseByURL(t *testing.T) {
	if a := d.client.post(t, "orders", octets, text("refused"), func(r *http.Request) { r.SetBasicAuth("datasink", "wrong") }); a.status != http.StatusUnauthorized {
		t.Errorf("a wrong password: %d %s, want 401", a.status, a.body)
	}
	if a := d.client.post(t, "orders", octets, text("refused"), func(r *http.Request) { r.Method = http.MethodPut }); a.status != http.StatusMethodNotAllowed {
		t.Errorf("a PUT: %d %s, want 405", a.status, a.body)
	}
	if a := d.client.post(t, "no-such-stream", octets, text("refused")); a.status != http.StatusNotFound {
		t.Errorf("an unknown stream: %d %s, want 404", a.status, a.body)
	}
}
