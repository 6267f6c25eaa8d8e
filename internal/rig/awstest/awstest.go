// Package awstest runs the local AWS of package cloud on a port, over AWS's own wire
// protocol, for tests and measurements that need AWS services which can fail on
// demand. It has one Go value for each service, for what a test does beside the wire.
// For benchmarks there is AtOnce, which answers calls without doing anything.
package awstest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/local/wire"
)

// Options are the resources of the AWS account.
type Options struct {
	// Dir is the folder of all data. It is made if it does not exist.
	Dir string
	// Buckets, Queues (by URL path, such as /wake) and Secrets (by id) exist.
	Buckets []string
	Queues  []string
	Secrets map[string]string
	// Shards has the number of shards of each Kinesis stream.
	Shards map[string]int
	// Deliveries has the Firehose delivery streams, which write to the first bucket.
	// With BufferBytes of 0 only Flush writes.
	Deliveries map[string]cloud.DeliveryStream
	// Faults may be nil. The objects that Firehose writes meet no fault.
	Faults *cloud.Faults
}

// Server is the endpoint of all services. It is safe for concurrent use.
type Server struct {
	// URL is the endpoint, Addr its host and port.
	URL, Addr string

	Kinesis  *cloud.Kinesis
	Firehose *cloud.Firehose
	Secrets  *cloud.Secrets
	// Buckets and Queues are those of Options, by name and by URL path.
	Buckets map[string]*cloud.Bucket
	Queues  map[string]*cloud.Queue

	handler http.Handler
	http    *http.Server
	root    *os.Root
	stop    context.CancelFunc
	running sync.WaitGroup
}

// Start runs the endpoint on a free loopback port until Close.
func Start(o Options) (*Server, error) {
	s := &Server{Buckets: make(map[string]*cloud.Bucket), Queues: make(map[string]*cloud.Queue), stop: func() {}}
	if err := s.open(o); err != nil {
		s.Close()
		return nil, fmt.Errorf("starting the AWS endpoint: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("starting the AWS endpoint: %w", err)
	}
	s.Addr = l.Addr().String()
	s.URL = "http://" + s.Addr
	s.http = &http.Server{Handler: s.handler, ReadHeaderTimeout: time.Minute}
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // Accepting on loopback does not fail.
		}
	}()
	return s, nil
}

func (s *Server) open(o Options) error {
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
	if s.Kinesis, err = s.openKinesis(o); err != nil {
		return err
	}
	if s.Firehose, err = s.openFirehose(o); err != nil {
		return err
	}
	services.Kinesis, services.Firehose, services.Secrets = s.Kinesis, s.Firehose, s.Secrets
	s.handler = wire.New(services)
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.running.Go(func() { s.Firehose.Run(ctx) })
	return nil
}

func (s *Server) folder(name string) (*os.Root, error) {
	if err := s.root.MkdirAll(name, 0o700); err != nil {
		return nil, err
	}
	return s.root.OpenRoot(name)
}

func (s *Server) openKinesis(o Options) (*cloud.Kinesis, error) {
	dir, err := s.folder("kinesis")
	if err != nil {
		return nil, err
	}
	streams := make(map[string]cloud.StreamOptions)
	for name, shards := range o.Shards {
		streams[name] = cloud.StreamOptions{Shards: shards}
	}
	return cloud.OpenKinesis(cloud.KinesisOptions{Dir: dir, Streams: streams, Faults: o.Faults})
}

func (s *Server) openFirehose(o Options) (*cloud.Firehose, error) {
	dir, err := s.folder("firehose")
	if err != nil {
		return nil, err
	}
	options := cloud.FirehoseOptions{Dir: dir, Streams: make(map[string]cloud.DeliveryStream), Faults: o.Faults, Log: slog.Default()}
	for name, d := range o.Deliveries {
		if d.BufferBytes == 0 {
			d.BufferBytes = math.MaxInt64
		}
		options.Streams[name] = d
	}
	if len(o.Buckets) > 0 {
		untroubled, err := cloud.OpenBucket(o.Buckets[0], s.root, o.Buckets[0], nil)
		if err != nil {
			return nil, err
		}
		options.Write = untroubled.Write
	}
	return cloud.OpenFirehose(options)
}

// ServeHTTP serves one call, for a further port.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

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
