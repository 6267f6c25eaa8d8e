// Package awstest is an endpoint of the AWS services that the functions use, on
// the protocols that their SDK clients really speak, for tests that need a
// service which fails as services do.
//
// It has Kinesis PutRecords, Firehose PutRecordBatch, S3 PutObject, GetObject,
// HeadBucket and ListObjectsV2, SQS SendMessage and Secrets Manager
// GetSecretValue. The limits of the real services hold. Signatures are not
// checked; the access key id of one tells who calls. The other sides of the
// services (the shards' readers, the objects that Firehose writes, the receiver
// of wake-ups) are Go methods. For benchmarks there is AtOnce, which does nothing.
package awstest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Names of the services, in Call.
const (
	ServiceKinesis  = "kinesis"
	ServiceFirehose = "firehose"
	ServiceS3       = "s3"
	ServiceSQS      = "sqs"
	ServiceSecrets  = "secretsmanager"
)

// Call is one call of a service.
type Call struct {
	// Service and Operation are as in "kinesis" and "PutRecords".
	Service, Operation string
	// Resource is the stream, the delivery stream, bucket/key, the queue's URL or
	// the secret's id.
	Resource string
	// Caller is the access key id that the call is signed with.
	Caller string
	// Records is how many records a batch has.
	Records int
}

// Outcome is how a call ended.
type Outcome struct {
	// Begun is when the whole request was there, Ended when the answer was
	// written, or was not.
	Begun, Ended time.Time
	// Fault is what the call met.
	Fault Fault
	// Stored is how many records took effect, as Options.Count counts.
	Stored int
	// Answered reports whether the service's own answer was written, with the
	// caller still connected. That it arrived is not known.
	Answered bool
}

// Options say what there is in this AWS account.
type Options struct {
	// Dir is the folder of S3's objects: <Dir>/<bucket>/<key>.
	Dir string
	// Buckets, Queues (by URL path, as in /wake) and Secrets (by id) are those
	// that exist.
	Buckets []string
	Queues  []string
	Secrets map[string]string
	// Shards has the Kinesis streams and how many shards each has.
	Shards map[string]int
	// Deliveries has the Firehose delivery streams.
	Deliveries map[string]Delivery
	// Invalid reports whether Kinesis refuses the call that has such a record as
	// invalid. Nil: no record is.
	Invalid func(partitionKey string, data []byte) bool
	// InvalidPacked is the same of Firehose, whose records have no key.
	InvalidPacked func(data []byte) bool
	// Count is how many of the test's records one Firehose record holds. Nil: one.
	Count func(data []byte) int
	// Inject is asked what happens to a call. Nil: nothing. It may block, and is
	// called concurrently.
	Inject func(Call) Fault
	// Observe is told of every call's end. Nil for nobody; called concurrently.
	Observe func(Call, Outcome)
	// Seed determines which records a Fault throttles.
	Seed uint64
}

// Server is the endpoint. It is safe for concurrent use.
type Server struct {
	// URL is where all services are reached.
	URL string
	// Addr is host and port of the same.
	Addr string

	Kinesis  *Kinesis
	Firehose *Firehose
	S3       *S3
	SQS      *SQS

	options Options
	http    *http.Server

	mu      sync.Mutex // guards what follows
	random  *rand.Rand
	secrets map[string]string
}

// Start runs the endpoint on a free port of loopback until Close.
func Start(o Options) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the AWS endpoint: %w", err)
	}
	s := &Server{
		URL: "http://" + l.Addr().String(), Addr: l.Addr().String(),
		options: o, secrets: maps.Clone(o.Secrets),
		random: rand.New(rand.NewPCG(o.Seed, 1)), //nolint:gosec // reproducible on purpose
	}
	s.S3 = newS3(o.Dir, o.Buckets)
	s.Kinesis = newKinesis(o.Shards, o.Invalid)
	s.Firehose = newFirehose(o.Deliveries, s.S3, o.Count, o.InvalidPacked)
	s.SQS = newSQS(o.Queues)
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // accepting on loopback does not fail
		}
	}()
	return s, nil
}

// Close ends the endpoint and cuts its connections. Objects stay.
func (s *Server) Close() { _ = s.http.Close() }

// SetSecret changes the value of a secret that there is.
func (s *Server) SetSecret(id, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets[id] = value
}

// operation is a call that has been read and is ready to take effect.
type operation struct {
	call Call
	// effect carries the call out. throttled says of one record after another
	// whether it is refused. answer writes what the service says.
	effect func(throttled func() bool) (stored int, answer func(http.ResponseWriter))
	// fail writes an internal error of the service.
	fail func(http.ResponseWriter)
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op := s.read(r)
	op.call.Caller = caller(r.Header.Get("Authorization"))
	outcome := Outcome{Begun: time.Now()}
	if s.options.Inject != nil {
		outcome.Fault = s.options.Inject(op.call)
	}
	outcome.Stored, outcome.Answered = s.run(w, r, op, outcome.Fault)
	outcome.Ended = time.Now()
	if s.options.Observe != nil {
		s.options.Observe(op.call, outcome)
	}
}

// targets are the services by the beginning of X-Amz-Target.
var targets = map[string]string{
	"Kinesis_20131202":  ServiceKinesis,
	"Firehose_20150804": ServiceFirehose,
	"AmazonSQS":         ServiceSQS,
	"secretsmanager":    ServiceSecrets,
}

func (s *Server) read(r *http.Request) operation {
	target, name, ok := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if !ok {
		return s.S3.read(r)
	}
	op := operation{call: Call{Service: targets[target], Operation: name}, fail: internalFailure.write}
	switch op.call.Service + "." + name {
	case ServiceKinesis + ".PutRecords":
		s.Kinesis.readPutRecords(r, &op)
	case ServiceFirehose + ".PutRecordBatch":
		s.Firehose.readPutRecordBatch(r, &op)
	case ServiceSQS + ".SendMessage":
		s.SQS.readSendMessage(r, &op)
	case ServiceSecrets + ".GetSecretValue":
		s.readGetSecretValue(r, &op)
	default:
		op.refuse(jsonError{http.StatusBadRequest, "UnknownOperationException", "not in this endpoint: " + target + "." + name})
	}
	return op
}

// refuse makes the operation one that is answered with an error.
func (op *operation) refuse(e jsonError) {
	op.effect = func(func() bool) (int, func(http.ResponseWriter)) { return 0, e.write }
}

// caller is the access key id of a signature.
func caller(authorization string) string {
	_, credential, _ := strings.Cut(authorization, "Credential=")
	id, _, _ := strings.Cut(credential, "/")
	return id
}

// chance reports true with probability p.
func (s *Server) chance(p float64) bool {
	if p <= 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.Float64() < p
}
