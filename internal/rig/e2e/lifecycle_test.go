//go:build e2e

package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
)

// undecodable is what no ingest ever pushed.
var undecodable = []byte("this is no envelope")

// left is the body that stays in the queue of the stream that is dropped.
var left = text("left behind")

// testLeaveQueued has records wait in the queues of two streams, because the
// drainer may no longer put to their Kinesis streams, and an undecodable
// envelope in that of a third. Nobody is woken for the latter: it is the
// schedule that has to find it.
func (d *deployment) testLeaveQueued(t *testing.T) {
	d.denyPuts(t, retiring, dropped)
	if _, err := d.queue.Push(t.Context(), "orders", undecodable, 0); err != nil {
		t.Fatal(err)
	}
	d.send(t, retiring, text("queued when its stream retires"))
	d.mustAccept(t, d.client.post(t, dropped, octets, left))
	d.send(t, "dispatcher-decisions", text("past two streams that stand still"))
	d.archive.await(t, archived, "dispatcher-decisions")
	for _, name := range []string{retiring, dropped} {
		if err := d.queued(t, name, 1); err != nil {
			t.Error(err)
		}
	}
}

// queued reports an error unless that many records of a stream wait, in its
// queue or in a claim.
func (d *deployment) queued(t *testing.T, name string, records int64) error {
	t.Helper()
	state, err := d.queue.Inspect(t.Context(), name)
	if err == nil && state.Depth+state.ClaimedRecords != records {
		err = fmt.Errorf("queue of %s: %d records, and %d in claims; want %d", name, state.Depth, state.ClaimedRecords, records)
	}
	return err
}

// testRetire retires a stream that has a record queued, for which POST then
// refuses more, and lets its Kinesis stream have what waits.
func (d *deployment) testRetire(t *testing.T) {
	for i := range d.streams.Streams {
		if d.streams.Streams[i].Name == retiring {
			d.streams.Streams[i].Retired = true
		}
	}
	d.deploy(t)
	if a := d.client.post(t, retiring, octets, text("refused")); a.status != http.StatusNotFound || a.code() != "unknown_stream" {
		t.Errorf("a stream that is retired: %d %s, want 404", a.status, a.body)
	}
	if err := d.queued(t, retiring, 1); err != nil {
		t.Fatal(err)
	}
	d.denyPuts(t, dropped)
}

// testQueued finds what was queued: in the archive what its stream can deliver,
// under failed/ what nobody can decode.
func (d *deployment) testQueued(t *testing.T) {
	d.archive.await(t, swept, retiring)
	d.awaitAside(t, "orders", func(a archive.DeadLetter) bool { return slices.Equal(a.Envelope, undecodable) })
}

// testRemove removes the retired stream and another that was not retired first.
func (d *deployment) testRemove(t *testing.T) {
	d.remove(retiring)
	d.remove(dropped)
	d.deploy(t)
	for _, name := range []string{retiring, dropped} {
		if a := d.client.post(t, name, octets, text("refused")); a.status != http.StatusNotFound {
			t.Errorf("%s, which is removed: %d %s, want 404", name, a.status, a.body)
		}
	}
	if slices.Contains(d.taps(t), stackName+"."+retiring) {
		t.Errorf("the Kinesis stream of the retired stream still stands")
	}
	d.allow(t, d.outputs.DrainerFunction)
}

// testOrphan finds what was queued for the dropped stream under failed/.
func (d *deployment) testOrphan(t *testing.T) {
	d.awaitAside(t, dropped, func(a archive.DeadLetter) bool { return slices.Equal(a.Body, left) })
	await(t, archived, "the orphaned queue to be empty", func() error { return d.queued(t, dropped, 0) })
}

func (d *deployment) awaitAside(t *testing.T, name string, is func(archive.DeadLetter) bool) {
	t.Helper()
	await(t, swept, "what the drainer puts aside for "+name, func() error {
		if all := d.archive.aside(t, archive.StageDrainer, name); !slices.ContainsFunc(all, is) {
			return fmt.Errorf("%d records put aside, and not the one", len(all))
		}
		return nil
	})
}

// taps are the names of all Kinesis streams.
func (d *deployment) taps(t *testing.T) []string {
	t.Helper()
	var list struct{ StreamNames []string }
	d.cloud.json(t, "kinesis", "Kinesis_20131202.ListStreams", struct{}{}, &list)
	return list.StreamNames
}

// testOwnRedis moves the deployment from the stack's cache to a Redis that the
// user brings, with a secret of the user's.
func (d *deployment) testOwnRedis(t *testing.T) {
	if kinds := d.resources(t); kinds["AWS::EC2::VPC"] != 1 || kinds["AWS::ElastiCache::ReplicationGroup"] != 1 {
		t.Fatalf("before: %v, want a VPC and a cache", kinds)
	}
	secret := d.cloud.newSecret(t, "own-redis", fmt.Sprintf(`{"password":%q}`, d.token))
	d.deploy(t, "redisUrl="+d.redis.URL, "redisSecret="+secret)
	for kind := range d.resources(t) {
		if kind == "AWS::EC2::VPC" || kind == "AWS::ElastiCache::ReplicationGroup" {
			t.Errorf("with a Redis of the user's own the stack still has an %s", kind)
		}
	}
	d.send(t, "orders", text("by way of the user's own Redis"))
	d.archive.awaitAll(t, archived)
}

// resources counts the stack's resources by their type.
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

// testDestroy removes the stack. What holds records stays.
func (d *deployment) testDestroy(t *testing.T) {
	d.cdk.destroy(t)
	name := stackName
	if _, err := d.cloud.cloudformation.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &name}); err == nil {
		t.Error("the stack still stands")
	}
	if err := d.archive.check(t, "orders"); err != nil {
		t.Errorf("the archive after the stack: %v", err)
	}
}
