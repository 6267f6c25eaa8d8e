// Command sam runs the SAM CLI on the synthesized template. It also starts what the
// functions in SAM's containers need: a Redis and an AWS endpoint. `make sam` runs
// it; `make sam-drain` and `make sam-bridge` invoke functions beside it.
//
// SAM passes only variables that a template declares, so sam writes a copy
// of the template that declares AWS_ENDPOINT_URL for each function.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/awstest"
	"github.com/data-sink/data-sink/internal/rig/redistest"
)

const (
	// deployment is the name of the synthesized deployment.
	deployment    = "datasink"
	archiveBucket = "archive"
	wakePath      = "/000000000000/wake"
	clientsSecret = "clients"
	client        = "datasink" // the name and the password of a client
	port          = "3000"     // of the API
)

func main() {
	var o options
	flag.StringVar(&o.sam, "sam", "sam", "path of the SAM CLI")
	flag.StringVar(&o.assembly, "assembly", "", "folder of the cloud assembly that `make synth` wrote")
	flag.StringVar(&o.streams, "streams", "streams.json", "path of streams.json")
	flag.StringVar(&o.dir, "dir", "", "folder for the archive and for SAM's input")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type options struct {
	sam, assembly, streams, dir string
}

func run(ctx context.Context, o options) error {
	streams, err := stream.Load(o.streams)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	host, err := containerHost(ctx)
	if err != nil {
		return err
	}
	// The address restricts who can connect.
	redis, err := redistest.Run(o.dir, "--bind", host.listen, "--protected-mode", "no")
	if err != nil {
		return err
	}
	defer redis.Remove()
	redisURL := host.url("redis", redis.Addr)
	aws, err := awstest.Start(awstest.Options{
		Dir: o.dir, Addr: net.JoinHostPort(host.listen, "0"), Buckets: []string{archiveBucket}, Queues: []string{wakePath},
		Deployment: deployment, Streams: streams,
		BufferBytes: 1, // an object for each call, so that objects appear immediately
		Secrets:     map[string]string{clientsSecret: fmt.Sprintf("{%q:%q}", client, client)},
	})
	if err != nil {
		return err
	}
	defer aws.Close()
	endpoint := host.url("http", aws.Addr)

	template, variables := filepath.Join(o.assembly, "sam.template.json"), filepath.Join(o.dir, "env.json")
	err = errors.Join(
		copyTemplate(filepath.Join(o.assembly, deployment+".template.json"), template),
		writeVariables(variables, map[string]string{
			endpointVariable: endpoint, env.ArchiveBucket: archiveBucket, env.WakeQueueURL: endpoint + wakePath,
			env.ClientsSecret: clientsSecret, env.RedisURL: redisURL, env.RedisSecret: "", env.PushTimeout: "2s",
		}),
	)
	if err != nil {
		return err
	}
	fmt.Printf(`The functions use Redis at %s. The archive is the folder %s.
When SAM is ready:

  curl -i -u %s:%s -d hello http://127.0.0.1:%s/archives/%s

`, redisURL, filepath.Join(o.dir, archiveBucket), client, client, port, streams.Names()[0])
	return runSAM(ctx, o.sam, "local", "start-api", "--template", template, "--env-vars", variables, "--port", port, "--skip-pull-image")
}

// runSAM runs the SAM CLI until it or ctx ends.
func runSAM(ctx context.Context, sam string, args ...string) error {
	cmd := exec.CommandContext(ctx, sam, args...)
	cmd.Env = append(os.Environ(), "SAM_CLI_TELEMETRY=0")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// On SIGINT SAM removes its containers.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("running the SAM CLI: %w", err)
	}
	return nil
}
