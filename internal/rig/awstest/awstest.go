// Package awstest runs the local AWS of package cloud on a port, over AWS's own wire
// protocol, for tests and measurements that need AWS services which can fail on
// demand. A test can also call the services by their Go values.
package awstest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/local/wire"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Options are the resources of the AWS account.
type Options struct {
	// Dir is the folder of all data. It is made if it does not exist.
	Dir string
	// Addr is the address to listen on. The default is a free port on loopback.
	Addr string
	// Buckets, Queues (by URL path, such as /wake) and Secrets (by id) exist.
	Buckets []string
	Queues  []string
	Secrets map[string]string
	// Deployment is the name of the deployment that owns the Kinesis streams and the
	// delivery streams of Streams. Firehose writes to the first bucket.
	Deployment string
	Streams    *stream.Set
	// BufferBytes is the size at which Firehose writes an object. The default 0 means
	// that only Flush writes.
	BufferBytes int64
	// Faults may be nil. The objects that Firehose writes meet no fault.
	Faults *cloud.Faults
	// Wrap, if set, puts a handler in front of the services.
	Wrap func(services http.Handler) http.Handler
}

// Server is the endpoint of all services. It is safe for concurrent use.
type Server struct {
	// URL is the endpoint, Addr its host and port.
	URL, Addr string

	Kinesis  *cloud.Kinesis
	Firehose *cloud.Firehose
	Secrets  *cloud.Secrets
	// Buckets has the buckets of Options by name, Queues its queues by URL path.
	Buckets map[string]*cloud.Bucket
	Queues  map[string]*cloud.Queue

	http    *http.Server
	root    *os.Root
	stop    context.CancelFunc
	running sync.WaitGroup
}

// StartForTest is Start until the test ends, with an error that fails the test.
func StartForTest(tb testing.TB, o Options) *Server {
	tb.Helper()
	s, err := Start(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// Start runs the endpoint until Close.
func Start(o Options) (*Server, error) {
	s := &Server{Buckets: make(map[string]*cloud.Bucket), Queues: make(map[string]*cloud.Queue), stop: func() {}}
	if err := s.start(o); err != nil {
		s.Close()
		return nil, fmt.Errorf("starting the AWS endpoint: %w", err)
	}
	return s, nil
}

func (s *Server) start(o Options) error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	var err error
	if s.root, err = os.OpenRoot(o.Dir); err != nil {
		return err
	}
	services := wire.Services{Queues: s.Queues}
	for _, name := range o.Buckets {
		if s.Buckets[name], err = cloud.OpenBucket(name, s.root, name, o.Faults); err != nil {
			return err
		}
		services.Buckets = append(services.Buckets, s.Buckets[name])
	}
	for _, path := range o.Queues {
		s.Queues[path] = cloud.NewQueue(path, o.Faults)
	}
	s.Secrets = cloud.NewSecrets(o.Secrets, o.Faults)
	if err := s.openStreams(o); err != nil {
		return err
	}
	services.Kinesis, services.Firehose, services.Secrets = s.Kinesis, s.Firehose, s.Secrets
	handler := wire.New(services)
	if o.Wrap != nil {
		handler = o.Wrap(handler)
	}
	return s.serve(o.Addr, handler)
}

// openStreams opens Kinesis and Firehose.
func (s *Server) openStreams(o Options) error {
	kinesisDir, kinesisErr := s.folder("kinesis")
	firehoseDir, firehoseErr := s.folder("firehose")
	if err := errors.Join(kinesisErr, firehoseErr); err != nil {
		return err
	}
	s.Kinesis = cloud.NewKinesis(cloud.KinesisOptions{Dir: kinesisDir, Faults: o.Faults})
	firehose := cloud.FirehoseOptions{Dir: firehoseDir, Faults: o.Faults, Log: slog.Default()}
	if len(o.Buckets) > 0 {
		withoutFaults, err := cloud.OpenBucket(o.Buckets[0], s.root, o.Buckets[0], nil)
		if err != nil {
			return err
		}
		firehose.Write = withoutFaults.Write
	}
	s.Firehose = cloud.NewFirehose(firehose)
	if o.Streams == nil {
		return nil
	}
	for _, one := range o.Streams.All() {
		name := stream.ResourceName(o.Deployment, one.Name)
		if one.HasTap() {
			if err := s.Kinesis.Open(name, cloud.StreamOptionsOf(one)); err != nil {
				return err
			}
		}
		delivery := cloud.DeliveryStreamOf(one)
		delivery.BufferBytes, delivery.BufferFor = cmp.Or(o.BufferBytes, math.MaxInt64), 0
		if err := s.Firehose.Open(name, delivery); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) folder(name string) (*os.Root, error) {
	if err := s.root.MkdirAll(name, 0o700); err != nil {
		return nil, err
	}
	return s.root.OpenRoot(name)
}

// serve serves the handler and writes the objects of Firehose, until Close.
func (s *Server) serve(addr string, handler http.Handler) error {
	l, err := net.Listen("tcp", cmp.Or(addr, "127.0.0.1:0"))
	if err != nil {
		return err
	}
	s.Addr = l.Addr().String()
	s.URL = "http://" + s.Addr
	s.http = &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.running.Go(func() { s.Firehose.Run(ctx) })
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // Serve fails only when the listener is closed.
		}
	}()
	return nil
}

// OpenMapping opens an event source mapping of a stream of Kinesis, with its
// checkpoints in the account's folder.
func (s *Server) OpenMapping(o cloud.MappingOptions) (*cloud.Mapping, error) {
	dir, err := s.folder("mappings")
	if err != nil {
		return nil, err
	}
	o.Kinesis, o.Dir, o.Log = s.Kinesis, dir, slog.New(slog.DiscardHandler)
	return cloud.OpenMapping(o)
}

// Setenv sets the environment from which the AWS SDK takes the URL of AWS, the Region
// and credentials, until the test ends. The test must not be parallel.
func Setenv(tb testing.TB, url string) {
	tb.Helper()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_REGION": cloud.Region, "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_MAX_ATTEMPTS": "1",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		tb.Setenv(name, value)
	}
}

// Close ends the endpoint and cuts its connections. Objects stay.
func (s *Server) Close() {
	if s.http != nil {
		_ = s.http.Close()
	}
	s.stop()
	s.running.Wait()
	if s.Kinesis != nil {
		_ = s.Kinesis.Close()
	}
	if s.root != nil {
		_ = s.root.Close()
	}
}

// Records returns the records of a stream, shard by shard.
func (s *Server) Records(ctx context.Context, stream string) ([]cloud.Record, error) {
	d, err := s.Kinesis.Describe(ctx, "DescribeStream", stream)
	if err != nil {
		return nil, err
	}
	var all []cloud.Record
	for _, shard := range d.Shards {
		iterator, err := s.Kinesis.GetShardIterator(ctx, stream, shard.ID, cloud.IteratorStart{Type: cloud.TrimHorizon})
		if err != nil {
			return nil, err
		}
		for {
			page, err := s.Kinesis.GetRecords(ctx, iterator, 0)
			if err != nil {
				return nil, err
			}
			if len(page.Records) == 0 {
				break
			}
			all = append(all, page.Records...)
			iterator = page.NextIterator
		}
	}
	return all, nil
}
