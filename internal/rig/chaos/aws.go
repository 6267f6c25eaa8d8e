package chaos

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
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

// awsAccount is the local AWS with its injected troubles.
type awsAccount struct {
	*awstest.Server
	archive *cloud.Bucket

	traps *traps
	calls *callTable
	// refusal refuses one record of Firehose.
	refusal *refusal
	// taken counts the records that Kinesis has taken, failedCalls the calls that failed
	// as a whole, and fallbacks the objects that ingest wrote because Redis did not take
	// the record.
	taken, failedCalls, fallbacks counter

	mu       sync.Mutex // guards the fields below
	random   *rand.Rand
	troubles map[string][]*trouble // by service
}

// trouble is a fault that a share of a service's calls meets.
type trouble struct {
	share float64
	// resource restricts the trouble to the calls of one resource; empty for all.
	resource string
	fault    cloud.Fault
	met      counter // number of calls
}

func startAWS(dir string, seed uint64, t *traps) (*awsAccount, error) {
	a := &awsAccount{
		traps: t, calls: newCallTable(), refusal: new(refusal), random: newRandom(seed, 2), troubles: make(map[string][]*trouble),
	}
	faults := &cloud.Faults{
		Inject: a.inject, Observe: a.observe, Seed: seed, Refuse: a.refusal.refuses,
		Invalid: func(service string, e sink.Entry) bool {
			if service == cloud.ServiceFirehose {
				return bytes.Contains(e.Data, []byte(unarchivableMark))
			}
			return strings.HasPrefix(e.PartitionKey, invalidKey)
		},
		Count: func(data []byte) int { return bytes.Count(data, []byte(bodyBegin)) },
	}
	var err error
	a.Server, err = awstest.Start(awstest.Options{
		Dir: dir, Buckets: []string{bucket}, Queues: []string{wakePath}, Deployment: deployment, Streams: streams, BufferBytes: firehoseBuffer,
		Secrets: map[string]string{clientsSecret: fmt.Sprintf("{%q:%q}", clientName, clientPass)}, Faults: faults,
	})
	if err != nil {
		return nil, err
	}
	a.archive = a.Buckets[bucket]
	return a, nil
}

// inject decides the fault of a call. Traps have precedence over troubles.
func (a *awsAccount) inject(c cloud.Call) cloud.Fault {
	before, after := beforePut, afterPut
	if strings.HasPrefix(c.Caller, bridgeCaller) {
		before, after = beforeFirehose, afterFirehose
	}
	if c.Operation == "PutRecords" || c.Operation == "PutRecordBatch" {
		for _, s := range []step{before, after} {
			if trap := a.traps.take(s); trap != nil {
				f := cloud.Fault{After: s == after, Do: func() { trap.spring(c.Caller) }}
				if trap.drop {
					f.Fail = cloud.Reset
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
		if t.fault.Fail != cloud.None {
			a.failedCalls.Add(1)
		}
		return t.fault
	}
	return cloud.Fault{}
}

// observe records what may be delivered twice.
func (a *awsAccount) observe(c cloud.Call, o cloud.Outcome) {
	switch c.Service {
	case cloud.ServiceKinesis:
		a.taken.Add(int64(o.Stored))
		a.calls.ended(c, o)
	case cloud.ServiceFirehose:
		a.calls.ended(c, o)
	case cloud.ServiceS3:
		if c.Operation == "PutObject" && isFallback(c.Resource) && o.Stored > 0 {
			a.fallbacks.Add(1)
		}
	}
}

// makeTrouble injects a fault into a share of a service's calls until end is called.
// If resource is not empty, only the calls of that resource meet it. met counts the
// calls that met it.
func (a *awsAccount) makeTrouble(service, resource string, share float64, f cloud.Fault) (met *counter, end func()) {
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
