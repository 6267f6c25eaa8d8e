//go:build e2e

package e2e_test

import (
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// TestDefaultStack deploys the default stack and takes it through the life of a
// deployment. Each step builds on the previous ones.
func TestDefaultStack(t *testing.T) {
	t.Parallel()
	newDeployment(t).take(t, []step{
		{"bootstrap", (*deployment).testBootstrap},
		{"failed first deploy", (*deployment).testFailedDeploy},
		{"deploy", (*deployment).testDeploy},
		{"refuse", (*deployment).testRefuse},
		{"accept", (*deployment).testAccept},
		{"batch", (*deployment).testBatch},
		{"tap", (*deployment).testTap},
		{"operate", (*deployment).testOperate},
		{"status in trouble", (*deployment).testStatusInTrouble},
		{"verify", (*deployment).testVerify},
		{"add a stream", (*deployment).testAddStream},
		{"leave records queued", (*deployment).testLeaveQueued},
		{"retire a stream", (*deployment).testRetire},
		// Meanwhile the schedule runs.
		{"ingest's permissions", (*deployment).testIngestPermissions},
		{"bridge's permissions", (*deployment).testBridgePermissions},
		{"what was queued", (*deployment).testQueued},
		{"remove streams", (*deployment).testRemove},
		{"ingest's environment", (*deployment).testIngestEnvironment},
		{"bridge's environment", (*deployment).testBridgeEnvironment},
		{"orphaned queue", (*deployment).testOrphan},
		{"drainer's permissions", (*deployment).testDrainerPermissions},
		{"drainer's environment", (*deployment).testDrainerEnvironment},
		{"bring your own Redis", (*deployment).testOwnRedis},
		{"destroy", (*deployment).testDestroy},
	})
}

// step is a step in the life of a deployment.
type step struct {
	name string
	run  func(*deployment, *testing.T)
}

// take takes the steps in order. Each builds on the previous ones.
func (d *deployment) take(t *testing.T, steps []step) {
	t.Helper()
	for _, step := range steps {
		began := time.Now()
		if !t.Run(step.name, func(t *testing.T) { step.run(d, t) }) {
			t.Fatalf("later steps build on %q", step.name)
		}
		t.Logf("%5.1f s  %s", time.Since(began).Seconds(), step.name)
	}
}

const (
	// started is far above the time that a process or a resource needs to start.
	started = 90 * time.Second
	// archived is far above the time that a record needs to reach the archive after
	// a wake-up, swept the time without one. The latter includes the lease of a
	// claim of a restarted drainer, a minute.
	archived = 90 * time.Second
	swept    = 150 * time.Second
)

// retiring is added, retired and removed. dropped is a stream of the default stack
// that is removed without retiring it.
const (
	retiring = "returns"
	dropped  = "page-views"
)

func (d *deployment) testBootstrap(t *testing.T) { d.cdk.bootstrap(t) }

// testFailedDeploy lets the first deployment fail at the cache. Kinesis streams that
// it left behind would block the next deployment, so it must not reach the nested
// stacks.
func (d *deployment) testFailedDeploy(t *testing.T) {
	d.emulator.refuseCaches(t, true)
	if err := d.cdk.tryDeploy(t, d.streamsFile(t)); err == nil {
		t.Error("the stack was deployed without its cache")
	}
	d.emulator.refuseCaches(t, false)
	for _, e := range d.events(t) {
		if *e.ResourceType == "AWS::CloudFormation::Stack" && *e.PhysicalResourceId != *e.StackId {
			t.Errorf("the failed deployment reached %s: %s", *e.LogicalResourceId, e.ResourceStatus)
		}
	}
	if left := d.taps(t); len(left) > 0 {
		t.Errorf("the failed deployment left the Kinesis streams %v", left)
	}
}

func (d *deployment) testDeploy(t *testing.T) {
	d.deploy(t)
	d.takeToken(t)
	for name, value := range map[string]string{
		"ApiUrl": d.outputs.ApiUrl, "ArchiveBucket": d.outputs.ArchiveBucket, "ClientsSecret": d.outputs.ClientsSecret,
		"WakeQueue": d.outputs.WakeQueue, "IngestFunction": d.outputs.IngestFunction, "DrainerFunction": d.outputs.DrainerFunction,
		"BridgeFunction": d.outputs.BridgeFunction,
	} {
		if value == "" {
			t.Errorf("the stack has no output %s", name)
		}
	}
}

func (d *deployment) testAddStream(t *testing.T) {
	d.streams.Streams = append(d.streams.Streams, stream.Stream{Name: retiring})
	d.deploy(t)
	d.send(t, retiring, text("to the new stream"))
	d.send(t, "orders", text("to an existing stream"))
	d.archive.awaitAll(t, archived)
}
