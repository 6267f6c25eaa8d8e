package chaos

import (
	"crypto/tls"

	"github.com/data-sink/data-sink/internal/local/cloud"
)

// link is the network between functions and a service, with a way to each address
// of the service.
type link struct {
	name string
	// service is the AWS service behind the link; empty for Redis.
	service string
	ways    []*way
	// relay is the relay that all processes share; nil if each process has its own.
	relay *relay
}

func newLink(name, service string, upstreams ...string) *link {
	l := &link{name: name, service: service}
	for _, upstream := range upstreams {
		l.ways = append(l.ways, newWay(upstream))
	}
	return l
}

// share starts the relay that all processes share.
func (l *link) share(certificate *tls.Certificate) (err error) {
	l.relay, err = startRelay(l.ways[0], certificate)
	return err
}

// part returns a link that has only one of the ways.
func (l *link) part(at int) *link {
	one := *l
	one.ways = l.ways[at : at+1]
	return &one
}

// set changes the condition of all ways.
func (l *link) set(c condition) {
	for _, w := range l.ways {
		w.set(c)
	}
}

// links are all links.
type links struct {
	ingestRedis, drainerRedis           *link
	kinesis, firehose, s3, sqs, secrets *link
}

func startLinks(redisAddrs []string, awsAddr string) (*links, error) {
	l := &links{
		ingestRedis:  newLink("ingest to Redis", "", redisAddrs...),
		drainerRedis: newLink("drainer to Redis", "", redisAddrs...),
		kinesis:      newLink("drainer to Kinesis", cloud.ServiceKinesis, awsAddr),
		firehose:     newLink("bridge to Firehose", cloud.ServiceFirehose, awsAddr),
		s3:           newLink("functions to S3", cloud.ServiceS3, awsAddr),
		sqs:          newLink("functions to SQS", cloud.ServiceSQS, awsAddr),
		secrets:      newLink("ingest to Secrets Manager", cloud.ServiceSecrets, awsAddr),
	}
	for _, one := range l.all() {
		if one.service == "" {
			continue
		}
		if err := one.share(nil); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

func (l *links) all() []*link {
	return []*link{l.ingestRedis, l.drainerRedis, l.kinesis, l.firehose, l.s3, l.sqs, l.secrets}
}

func (l *links) close() {
	for _, one := range l.all() {
		if one.relay != nil {
			one.relay.close()
		}
	}
}
