//go:build e2e

package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
)

// undecodable is not an envelope.
var undecodable = []byte("this is not an envelope")

// left is the body that remains in the queue of the dropped stream.
var left = text("left behind")

// testLeaveQueued leaves a record in the queue of each of two streams, by denying
// the drainer to put to their Kinesis streams. It also pushes an undecodable
// envelope to a third stream without a wake-up, so that the schedule must find it.
func (d *deployment) testLeaveQueued(t *testing.T) {
	d.denyPuts(t, retiring, dropped)
	if _, err := d.queue.Push(t.Context(), "orders", undecodable, 0); err != nil {
		t.Fatal(err)
	}
	d.send(t, retiring, text("queued when its stream retires"))
	d.mustAccept(t, d.client.post(t, dropped, octets, left))
	d.send(t, "dispatcher-decisions", text("beside two blocked streams"))
	d.archive.await(t, archived, "dispatcher-decisions")
	for _, name := range []string{retiring, dropped} {
		if err := d.queued(t, name, 1); err != nil {
			t.Error(err)
		}
	}
}

// queued returns an error unless a stream has that number of records in its queue
// and claims.
func (d *deployment) queued(t *testing.T, name string, records int64) error {
	t.Helper()
	state, err := d.queue.Inspect(t.Context(), name)
	if err == nil && state.Depth+state.ClaimedRecords != records {
		err = fmt.Errorf("queue of %s: %d records, and %d in claims; want %d", name, state.Depth, state.ClaimedRecords, records)
	}
	return err
}

// testRetire retires a stream with a queued record. POST must then refuse more, and
// the queued record must still be delivered once puts are allowed.
func (d *deployment) testRetire(t *testing.T) {
	for i := range d.streams.Streams {
		if d.streams.Streams[i].Name == retiring {
			d.streams.Streams[i].Retired = true
		}
	}
	d.deploy(t)
	if a := d.client.post(t, retiring, octets, text("refused")); a.status != http.StatusNotFound || a.code() != "unknown_stream" {
		t.Errorf("a retired stream: %d %s, want 404", a.status, a.body)
	}
	if err := d.queued(t, retiring, 1); err != nil {
		t.Fatal(err)
	}
	d.denyPuts(t, dropped)
}

// testQueued finds the queued records: deliverable ones in the archive, the
// undecodable one under failed/.
func (d *deployment) testQueued(t *testing.T) {
	d.archive.await(t, swept, retiring)
	d.awaitDeadLetter(t, "orders", func(a archive.DeadLetter) bool { return slices.Equal(a.Envelope, undecodable) })
}

// testRemove removes the retired stream, and another stream that was not retired
// first.
func (d *deployment) testRemove(t *testing.T) {
	d.remove(retiring)
	d.remove(dropped)
	d.deploy(t)
	for _, name := range []string{retiring, dropped} {
		if a := d.client.post(t, name, octets, text("refused")); a.status != http.StatusNotFound {
			t.Errorf("removed stream %s: %d %s, want 404", name, a.status, a.body)
		}
	}
	if slices.Contains(d.taps(t), stackName+"."+retiring) {
		t.Errorf("the Kinesis stream of the retired stream still exists")
	}
	d.allow(t, d.outputs.DrainerFunction)
}

// testOrphan finds the queued record of the dropped stream under failed/.
func (d *deployment) testOrphan(t *testing.T) {
	d.awaitDeadLetter(t, dropped, func(a archive.DeadLetter) bool { return slices.Equal(a.Body, left) })
	await(t, archived, "the orphaned queue to be empty", func() error { return d.queued(t, dropped, 0) })
}

func (d *deployment) awaitDeadLetter(t *testing.T, name string, is func(archive.DeadLetter) bool) {
	t.Helper()
	await(t, swept, "a dead letter of "+name, func() error {
		if all := d.archive.deadLetters(t, archive.StageDrainer, name); !slices.ContainsFunc(all, is) {
			return fmt.Errorf("%d dead letters, none of them the expected one", len(all))
		}
		return nil
	})
}

// taps returns the names of all Kinesis streams.
func (d *deployment) taps(t *testing.T) []string {
	t.Helper()
	var list struct{ StreamNames []string }
	d.cloud.json(t, "kinesis", "Kinesis_20131202.ListStreams", struct{}{}, &list)
	return list.StreamNames
}

// testOwnRedis moves the deployment from the stack's cache to a Redis of the user,
// with a secret of the user.
func (d *deployment) testOwnRedis(t *testing.T) {
	if kinds := d.resources(t); kinds["AWS::EC2::VPC"] != 1 || kinds["AWS::ElastiCache::ReplicationGroup"] != 1 {
		t.Fatalf("before: %v, want a VPC and a cache", kinds)
	}
	secret := d.cloud.newSecret(t, "own-redis", fmt.Sprintf(`{"password":%q}`, d.token))
	d.deploy(t, "redisUrl="+d.redis.URL, "redisSecret="+secret)
	for kind := range d.resources(t) {
		if kind == "AWS::EC2::VPC" || kind == "AWS::ElastiCache::ReplicationGroup" {
			t.Errorf("with a Redis of the user the stack still has an %s", kind)
		}
	}
	d.send(t, "orders", text("through the user's Redis"))
	d.archive.awaitAll(t, archived)
}

// resources counts the resources of the stack by type.
func (d *deployment) resources(t *testing.T) map[string]int {
	t.Helper()
	kinds := make(map[string]int)
	name := stackName
	pages := cloudformation.NewListStackResourcesPaginator(d.cloud.cloudformation, &cloudformation.ListStackResourcesInput{StackName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.StackResourceSummaries {
			kinds[*r.ResourceType]++
		}
	}
	return kinds
}

// events returns the events of the stack's resources.
func (d *deployment) events(t *testing.T) []types.StackEvent {
	t.Helper()
	var events []types.StackEvent
	name := stackName
	pages := cloudformation.NewDescribeStackEventsPaginator(d.cloud.cloudformation, &cloudformation.DescribeStackEventsInput{StackName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, page.StackEvents...)
	}
	return events
}

// testDestroy removes the stack. The archive must remain.
func (d *deployment) testDestroy(t *testing.T) {
	d.cdk.destroy(t)
	name := stackName
	if _, err := d.cloud.cloudformation.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &name}); err == nil {
		t.Error("the stack still exists")
	}
	if err := d.archive.check(t, "orders"); err != nil {
		t.Errorf("the archive after the stack: %v", err)
	}
}
