package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	local "github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/awstest"
)

const (
	archiveBucket  = "archive"
	wakePath       = "/000000000000/wake"
	clientsSecret  = "clients"
	clientName     = "datasink"
	clientPassword = "datasink"
)

// cloud is the AWS endpoint.
type cloud struct {
	url    string
	server *awstest.Server
	http   *http.Server
}

// startAWS starts the endpoint at an address that containers reach.
func startAWS(host where, dir string, streams *stream.Set) (*cloud, error) {
	shards, deliveries := make(map[string]int), make(map[string]local.DeliveryStream)
	for _, s := range streams.All() {
		name := stream.ResourceName(deployment, s.Name)
		shards[name] = max(s.Shards, 1)
		// One object for each call, so that objects appear at once.
		deliveries[name] = local.DeliveryStream{
			Folder: s.Folder, Suffix: s.Suffix(), Gzip: s.Compression == stream.Gzip, BufferBytes: 1,
		}
	}
	server, err := awstest.Start(awstest.Options{
		Dir: dir, Buckets: []string{archiveBucket}, Queues: []string{wakePath}, Shards: shards, Deliveries: deliveries,
		Secrets: map[string]string{clientsSecret: fmt.Sprintf("{%q:%q}", clientName, clientPassword)},
	})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host.listen, "0"))
	if err != nil {
		server.Close()
		return nil, fmt.Errorf("starting the AWS endpoint: %w", err)
	}
	c := &cloud{
		url: host.url("http", l.Addr().(*net.TCPAddr).Port), server: server,
		http: &http.Server{Handler: server, ReadHeaderTimeout: time.Minute},
	}
	go func() {
		if err := c.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // Serve fails only when the listener is closed
		}
	}()
	return c, nil
}

// Close stops the endpoint.
func (c *cloud) Close() {
	_ = c.http.Close()
	c.server.Close()
}
