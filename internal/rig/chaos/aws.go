package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/local/wire"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
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

// awsAccount is the local AWS with its injected troubles, over AWS's wire protocol.
type awsAccount struct {
	addr     string
	root     *os.Root
	kinesis  *cloud.Kinesis
	firehose *cloud.Firehose
	wakeUps  *cloud.Queue
	secrets  *cloud.Secrets
	archive  *cloud.Bucket
	server   *http.Server
	stop     context.CancelFunc

	traps *traps
	calls *callTable
	// refusal refuses one record of Firehose.
	refusal *refusal
	// taken counts the records that Kinesis has taken.
	taken counter

	mu       sync.Mutex // guards the fields below
	random   *rand.Rand
	troubles map[string][]*trouble // by service
	// failedCalls counts calls that failed as a whole. fallbacks counts objects that
	// ingest wrote because Redis did not take the record.
	failedCalls, fallbacks int
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
	if err := a.open(dir, seed); err != nil {
		a.close()
		return nil, fmt.Errorf("starting the local AWS: %w", err)
	}
	return a, nil
}

func (a *awsAccount) open(dir string, seed uint64) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var err error
	if a.root, err = os.OpenRoot(dir); err != nil {
		return err
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
	// Firehose writes to the archive without troubles.
	untroubled, err := cloud.OpenBucket(bucket, a.root, bucket, nil)
	if err != nil {
		return err
	}
	if a.archive, err = cloud.OpenBucket(bucket, a.root, bucket, faults); err != nil {
		return err
	}
	shards, deliveries := make(map[string]cloud.StreamOptions), make(map[string]cloud.DeliveryStream)
	for _, s := range streamList {
		name := stream.ResourceName(deployment, s.Name)
		shards[name] = cloud.StreamOptions{Shards: s.Shards}
		deliveries[name] = cloud.DeliveryStream{Folder: s.Folder, Suffix: s.Suffix(), Gzip: s.Compression == stream.Gzip, BufferBytes: firehoseBuffer}
	}
	kinesisDir, err := a.folder("kinesis")
	if err != nil {
		return err
	}
	if a.kinesis, err = cloud.OpenKinesis(cloud.KinesisOptions{Dir: kinesisDir, Streams: shards, Faults: faults}); err != nil {
		return err
	}
	firehoseDir, err := a.folder("firehose")
	if err != nil {
		return err
	}
	a.firehose, err = cloud.OpenFirehose(cloud.FirehoseOptions{
		Dir: firehoseDir, Streams: deliveries, Write: untroubled.Write, Faults: faults, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	a.wakeUps = cloud.NewQueue("wake", faults)
	a.secrets = cloud.NewSecrets(map[string]string{clientsSecret: fmt.Sprintf("{%q:%q}", clientName, clientPass)}, faults)
	return a.serve()
}

// folder opens a folder of the account, and creates it if necessary.
func (a *awsAccount) folder(name string) (*os.Root, error) {
	if err := a.root.MkdirAll(name, 0o755); err != nil {
		return nil, err
	}
	return a.root.OpenRoot(name)
}

// serve serves the services on a free port of loopback, and writes the objects of
// Firehose, until close.
func (a *awsAccount) serve() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	a.addr = l.Addr().String()
	a.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: wire.New(wire.Services{
		Kinesis: a.kinesis, Firehose: a.firehose, Queues: map[string]*cloud.Queue{wakePath: a.wakeUps}, Secrets: a.secrets,
		Buckets: []*cloud.Bucket{a.archive},
	})}
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	go a.firehose.Run(ctx)
	go func() {
		if err := a.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // accepting on loopback does not fail
		}
	}()
	return nil
}

func (a *awsAccount) close() {
	if a.server != nil {
		_ = a.server.Close()
		a.stop()
	}
	if a.kinesis != nil {
		_ = a.kinesis.Close()
	}
	if a.root != nil {
		_ = a.root.Close()
	}
}

// inject decides the fault of a call. Traps have precedence over troubles.
func (a *awsAccount) inject(c cloud.Call) cloud.Fault {
	before, after := beforePut, afterPut
	if c.Service == cloud.ServiceFirehose {
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
			a.failedCalls++
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
			a.mu.Lock()
			a.fallbacks++
			a.mu.Unlock()
		}
	}
}

// makeTrouble injects a fault into a share of a service's calls until end is called.
// met counts the calls that met it.
func (a *awsAccount) makeTrouble(service string, share float64, f cloud.Fault) (met *counter, end func()) {
	return a.makeTroubleOf(service, "", share, f)
}

// makeTroubleOf is makeTrouble for the calls of one resource.
func (a *awsAccount) makeTroubleOf(service, resource string, share float64, f cloud.Fault) (met *counter, end func()) {
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
