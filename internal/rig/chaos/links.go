package chaos

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/data-sink/data-sink/internal/local/cloud"
)

// link is a network link between the functions and a service.
type link struct {
	name string
	// service is the AWS service behind the link; empty for Redis.
	service string
	// ways has one element, or one for each node of a cluster.
	ways []*way

	library *toxiproxy.ApiServer
}

// way is one proxy. The functions connect to addr; the proxy connects to upstream.
type way struct {
	addr, upstream string
	proxy          *toxiproxy.Proxy
}

// addr returns the address that the functions connect to, for a link with one way.
func (l *link) addr() string { return l.ways[0].addr }

// addrs returns the addresses that the functions connect to, one for each way.
func (l *link) addrs() []string {
	var addrs []string
	for _, w := range l.ways {
		addrs = append(addrs, w.addr)
	}
	return addrs
}

// part returns a link that has only one of the ways.
func (l *link) part(at int) *link {
	one := *l
	one.ways = l.ways[at : at+1]
	return &one
}

// links are all links. Each one is a proxy of its own.
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
		{&l.kinesis, "drainer to Kinesis", cloud.ServiceKinesis, awsAddrs},
		{&l.firehose, "bridge to Firehose", cloud.ServiceFirehose, awsAddrs},
		{&l.s3, "functions to S3", cloud.ServiceS3, awsAddrs},
		{&l.sqs, "functions to SQS", cloud.ServiceSQS, awsAddrs},
		{&l.secretsMgr, "ingest to Secrets Manager", cloud.ServiceSecrets, awsAddrs},
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
		if err := (*one.into).restore(); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

// quietPort returns a free address outside of the range of ephemeral ports: a link
// that was closed must be able to listen on its port again.
func quietPort() (string, error) {
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)) // any port is fine
		if l, err := net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", fmt.Errorf("finding a free port: 100 ports are in use")
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

// cut closes all connections and refuses new ones.
func (l *link) cut() {
	for _, w := range l.ways {
		if w.proxy != nil {
			w.proxy.Stop()
		}
	}
}

// restore undoes cut and reopen.
func (l *link) restore() error { return l.reopen("") }

// reopen closes the link and opens it again with a toxic, or with none if toxic is
// empty. It makes new proxies, because changing the toxics of live connections can
// block.
func (l *link) reopen(toxic string) error {
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
	// Retry: a child process that has not reached its exec still holds the port.
	var err error
	for range 100 {
		if err = w.proxy.Start(); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("restoring the link from %s: %w", l.name, err)
}

// Toxics in the format of toxiproxy's API.
const (
	slowToxic      = `{"type":"latency","attributes":{"latency":150,"jitter":100}}`
	blackHoleToxic = `{"type":"timeout","attributes":{"timeout":0}}`
)
