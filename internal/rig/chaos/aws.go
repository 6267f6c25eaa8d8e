package chaos

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/awstest"
)

const (
	bucket        = "archive"
	wakePath      = "/wake"
	clientsSecret = "clients"
	clientName    = "chaos"
	clientPass    = "correct horse battery staple"
)

// firehoseBuffer is at which size an object is written.
const firehoseBuffer = 4 << 20

// awsAccount is the endpoint for AWS, with the troubles it is to make.
type awsAccount struct {
	server *awstest.Server
	traps  *traps
	calls  *callTable

	mu       sync.Mutex // guards what follows
	random   *rand.Rand
	troubles map[string][]*trouble // by service
	// Counts of what was done: calls that failed as a whole, and writes of
	// objects by ingest because Redis did not take the record.
	failedCalls, fallbacks int
	// delivered are the positions up to which the bridge has delivered shards.
	delivered map[*awstest.Shard]int64
}

// trouble is what a share of a service's calls meets.
type trouble struct {
	share float64
	// resource is the only one whose calls meet it; empty for all.
	resource string
	fault    awstest.Fault
	met      counter // calls
}

func startAWS(dir string, seed uint64, t *traps) (*awsAccount, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("starting the AWS endpoint: %w", err)
	}
	a := &awsAccount{
		traps: t, calls: newCallTable(), random: newRandom(seed, 2),
		troubles: make(map[string][]*trouble), delivered: make(map[*awstest.Shard]int64),
	}
	shards, deliveries := make(map[string]int), make(map[string]awstest.Delivery)
	for _, s := range streamList {
		name := stream.ResourceName(deployment, s.Name)
		shards[name] = s.Shards
		deliveries[name] = awstest.Delivery{
			Bucket: bucket, Folder: s.Folder, Suffix: s.Suffix(), Gzip: s.Compression == stream.Gzip, BufferBytes: firehoseBuffer,
		}
	}
	var err error
	a.server, err = awstest.Start(awstest.Options{
		Dir: dir, Buckets: []string{bucket}, Queues: []string{wakePath}, Shards: shards, Deliveries: deliveries,
		Secrets:       map[string]string{clientsSecret: fmt.Sprintf("{%q:%q}", clientName, clientPass)},
		Invalid:       func(key string, _ []byte) bool { return strings.HasPrefix(key, invalidKey) },
		InvalidPacked: func(data []byte) bool { return bytes.Contains(data, []byte(unarchivableMark)) },
		Count:         func(data []byte) int { return bytes.Count(data, []byte(bodyBegin)) },
		Inject:        a.inject, Observe: a.observe, Seed: seed,
	})
	return a, err
}

// inject decides what happens to a call: a trap comes first, then trouble.
func (a *awsAccount) inject(c awstest.Call) awstest.Fault {
	before, after := beforePut, afterPut
	if c.Service == awstest.ServiceFirehose {
		before, after = beforeDelivery, afterDelivery
	}
	if c.Service == awstest.ServiceKinesis || c.Service == awstest.ServiceFirehose {
		for _, s := range []step{before, after} {
			if trap := a.traps.take(s); trap != nil {
				f := awstest.Fault{After: s == after, Do: func() { trap.spring(c.Caller) }}
				if trap.drop {
					f.Fail = awstest.Reset
				}
				return f
			}
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.troubles[c.Service] {
		if t.resource != "" && t.resource != c.Resource || a.random.Float64() >= t.share {
			continue
		}
		t.met.Add(1)
		if t.fault.Fail != awstest.None {
			a.failedCalls++
		}
		return t.fault
	}
	return awstest.Fault{}
}

// observe notes what may come twice.
func (a *awsAccount) observe(c awstest.Call, o awstest.Outcome) {
	switch c.Service {
	case awstest.ServiceKinesis, awstest.ServiceFirehose:
		a.calls.ended(c, o)
	case awstest.ServiceS3:
		if c.Operation == "PutObject" && isFallback(c.Resource) && o.Stored > 0 {
			a.mu.Lock()
			a.fallbacks++
			a.mu.Unlock()
		}
	}
}

// makeTrouble has a share of a service's calls meet a fault until end is called.
// met counts those that did.
func (a *awsAccount) makeTrouble(service string, share float64, f awstest.Fault) (met *counter, end func()) {
	return a.makeTroubleOf(service, "", share, f)
}

// makeTroubleOf is makeTrouble for calls on one resource.
func (a *awsAccount) makeTroubleOf(service, resource string, share float64, f awstest.Fault) (met *counter, end func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := &trouble{share: share, resource: resource, fault: f}
	a.troubles[service] = append(a.troubles[service], t)
	return &t.met, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.troubles[service] = slices.DeleteFunc(a.troubles[service], func(other *trouble) bool { return other == t })
	}
}

func (a *awsAccount) counts() (failedCalls, fallbacks int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failedCalls, a.fallbacks
}

// passed notes up to where the bridge has delivered a shard.
func (a *awsAccount) passed(s *awstest.Shard, position int64) {
	s.Trim(position)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.delivered[s] = position
}

// shards are those of all streams.
func (a *awsAccount) shards() []*awstest.Shard {
	var all []*awstest.Shard
	for _, s := range streamList {
		all = append(all, a.server.Kinesis.Shards(stream.ResourceName(deployment, s.Name))...)
	}
	return all
}

// behind is how many records of Kinesis the bridge has not delivered.
func (a *awsAccount) behind() int64 {
	var behind int64
	for _, shard := range a.shards() {
		next, _ := shard.Next()
		a.mu.Lock()
		behind += next - a.delivered[shard]
		a.mu.Unlock()
	}
	return behind
}

// taken is how many records Kinesis has taken.
func (a *awsAccount) taken() int64 {
	var taken int64
	for _, shard := range a.shards() {
		next, _ := shard.Next()
		taken += next
	}
	return taken
}
