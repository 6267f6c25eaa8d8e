package main

import (
	"fmt"
	"net"

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

// startAWS starts the local AWS at an address that containers reach.
func startAWS(host where, dir string, streams *stream.Set) (*awstest.Server, error) {
	return awstest.Start(awstest.Options{
		Dir: dir, Addr: net.JoinHostPort(host.listen, "0"), Buckets: []string{archiveBucket}, Queues: []string{wakePath},
		Deployment: deployment, Streams: streams,
		BufferBytes: 1, // an object for each call, so that objects appear immediately
		Secrets:     map[string]string{clientsSecret: fmt.Sprintf("{%q:%q}", clientName, clientPassword)},
	})
}
