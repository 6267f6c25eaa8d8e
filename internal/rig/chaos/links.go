package chaos

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/data-sink/data-sink/internal/rig/awstest"
)

// link is a network link between the functions and a service.
type link struct {
	name string
	// service is that of the endpoint behind it; empty for Redis.
	service string
	// ways are one, or one to each node of a cluster.
	ways []*way

	library *toxiproxy.ApiServer
}

// way is one proxy. addr is where the functions reach it, upstream what is behind it.
type way struct {
	addr, upstream string
	proxy          *toxiproxy.Proxy
}

// addr is where the functions reach a link of one way.
func (l *link) addr() string { return l.ways[0].addr }

// addrs is where the functions reach each way.
func (l *link) addrs() []string {
	var addrs []string
	for _, w := range l.ways {
		addrs = append(addrs, w.addr)
	}
	return addrs
}

// part is a link of one way out of several.
func (l *link) part(at int) *link {
	one := *l
	one.ways = l.ways[at : at+1]
	return &one
}

// links are all of them, each a proxy of its own.
type links struct {
	ingestRedis, drainerRedis              *link
	kinesis, firehose, s3, sqs, secretsMgr *link
}

func startLinks(redisAddrs []string, awsAddr string) (*links, error) {
	library := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l := &links{}
	awsAddrs := []string{awsAddr}
	for _, one := range []struct {
		into          **link
		name, service string
		upstreams     []string
	}{
		{&l.ingestRedis, "ingest to Redis", "", redisAddrs},
		{&l.drainerRedis, "drainer to Redis", "", redisAddrs},
		{&l.kinesis, "drainer to Kinesis", awstest.ServiceKinesis, awsAddrs},
		{&l.firehose, "bridge to Firehose", awstest.ServiceFirehose, awsAddrs},
		{&l.s3, "functions to S3", awstest.ServiceS3, awsAddrs},
		{&l.sqs, "functions to SQS", awstest.ServiceSQS, awsAddrs},
		{&l.secretsMgr, "ingest to Secrets Manager", awstest.ServiceSecrets, awsAddrs},
	} {
		*one.into = &link{name: one.name, service: one.service, library: library}
		for _, upstream := range one.upstreams {
			addr, err := quietPort()
			if err != nil {
				l.close()
				return nil, err
			}
			(*one.into).ways = append((*one.into).ways, &way{addr: addr, upstream: upstream})
		}
		if err := (*one.into).mend(); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

// quietPort returns a free address below the ports that the system gives to
// outgoing connections: a link that is cut must get its port back.
func quietPort() (string, error) {
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)) //nolint:gosec // any port
		if l, err := net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", fmt.Errorf("finding a free port: none of 100 is")
}

func (l *links) all() []*link {
	return []*link{l.ingestRedis, l.drainerRedis, l.kinesis, l.firehose, l.s3, l.sqs, l.secretsMgr}
}

func (l *links) close() {
	for _, one := range l.all() {
		if one != nil {
			one.cut()
		}
	}
}

// cut ends all connections and refuses new ones.
func (l *link) cut() {
	for _, w := range l.ways {
		if w.proxy != nil {
			w.proxy.Stop()
		}
	}
}

// mend ends what cut and become did.
func (l *link) mend() error { return l.become("") }

// become cuts the link, and brings it back with a toxic, or none. The proxies are
// new ones: to change the toxics of live connections can take seconds, or block.
func (l *link) become(toxic string) error {
	l.cut()
	for _, w := range l.ways {
		if err := w.start(l, toxic); err != nil {
			return err
		}
	}
	return nil
}

func (w *way) start(l *link, toxic string) error {
	w.proxy = toxiproxy.NewProxy(l.library, l.name, w.addr, w.upstream)
	if toxic != "" {
		if _, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			return fmt.Errorf("changing the link from %s: %w", l.name, err)
		}
	}
	// A child process holds all ports of this one from its fork to its exec, also
	// those that have been closed meanwhile.
	var err error
	for range 100 {
		if err = w.proxy.Start(); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("mending the link from %s: %w", l.name, err)
}

// Toxics, in the form of toxiproxy's API.
const (
	slowToxic    = `{"type":"latency","attributes":{"latency":150,"jitter":100}}`
	swallowToxic = `{"type":"timeout","attributes":{"timeout":0}}`
)
