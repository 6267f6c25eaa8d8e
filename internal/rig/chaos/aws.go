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

// firehoseBuffer is the number of bytes after which Firehose writes an object.
const firehoseBuffer = 4 << 20

// awsAccount is the AWS endpoint with its injected troubles.
type awsAccount struct {
	server *awstest.Server
	traps  *traps
	calls  *callTable
	// refusal refuses one record of Firehose.
	refusal *refusal

	mu       sync.Mutex // guards the fields below
	random   *rand.Rand
	troubles map[string][]*trouble // by service
	// failedCalls counts calls that failed as a whole. fallbacks counts objects that
	// ingest wrote because Redis did not take the record.
	failedCalls, fallbacks int
	// delivered is the position of each shard up to which the bridge has delivered.
	delivered map[*awstest.Shard]int64
}

// trouble is a fault that a share of a service's calls meets.
type trouble struct {
	share float64
	// resource restricts the trouble to the calls of one resource; empty for all.
	resource string
	fault    awstest.Fault
	met      counter // number of calls
}

func startAWS(dir string, seed uint64, t *traps) (*awsAccount, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("starting the AWS endpoint: %w", err)
	}
	a := &awsAccount{
		traps: t, calls: newCallTable(), refusal: new(refusal), random: newRandom(seed, 2),
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
		RefusePacked:  a.refusal.refuses,
		Count:         func(data []byte) int { return bytes.Count(data, []byte(bodyBegin)) },
		Inject:        a.inject, Observe: a.observe, Seed: seed,
	})
	return a, err
}

// inject decides the fault of a call. Traps have precedence over troubles.
func (a *awsAccount) inject(c awstest.Call) awstest.Fault {
	before, after := beforePut, afterPut
	if c.Service == awstest.ServiceFirehose {
		before, after = beforeFirehose, afterFirehose
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

// observe records what may be delivered twice.
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

// makeTrouble injects a fault into a share of a service's calls until end is called.
// met counts the calls that met it.
func (a *awsAccount) makeTrouble(service string, share float64, f awstest.Fault) (met *counter, end func()) {
	return a.makeTroubleOf(service, "", share, f)
}

// makeTroubleOf is makeTrouble for the calls of one resource.
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

// passed records the position up to which the bridge has delivered a shard.
func (a *awsAccount) passed(s *awstest.Shard, position int64) {
	s.Trim(position)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.delivered[s] = position
}

// shards returns the shards of all streams.
func (a *awsAccount) shards() []*awstest.Shard {
	var all []*awstest.Shard
	for _, s := range streamList {
		all = append(all, a.server.Kinesis.Shards(stream.ResourceName(deployment, s.Name))...)
	}
	return all
}

// behind returns the number of records in Kinesis that the bridge has not delivered.
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

// taken returns the number of records that Kinesis has taken.
func (a *awsAccount) taken() int64 {
	var taken int64
	for _, shard := range a.shards() {
		next, _ := shard.Next()
		taken += next
	}
	return taken
}
