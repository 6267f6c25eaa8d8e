// Command sam runs the SAM CLI on the synthesized template, and on this machine
// what the functions in its containers need: a Redis, and an endpoint that
// stands in for AWS. `make sam` calls it; `make sam-drain` and `make sam-bridge`
// invoke functions beside it.
//
// SAM sets only variables that a template declares, so the functions get
// AWS_ENDPOINT_URL by a copy of the template with that one variable more.
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
)

// deployment is the name of the stack that was synthesized.
const deployment = "datasink"

func main() {
	var o options
	flag.StringVar(&o.sam, "sam", "sam", "the SAM CLI")
	flag.StringVar(&o.assembly, "assembly", "", "the folder that `make synth` wrote to")
	flag.StringVar(&o.streams, "streams", "streams.json", "the list of streams")
	flag.StringVar(&o.dir, "dir", "", "a folder for the archive and for what SAM reads")
	flag.StringVar(&o.redisURL, "redis", "", "the Redis to use, as containers reach it; by default one is started")
	flag.StringVar(&o.port, "port", "3000", "the port of the API")
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
	sam, assembly, streams, dir, redisURL, port string
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
	redisURL := o.redisURL
	if redisURL == "" {
		server, url, err := startRedis(host, o.dir)
		if err != nil {
			return err
		}
		defer server.Remove()
		redisURL = url
	}
	aws, err := startAWS(host, o.dir, streams)
	if err != nil {
		return err
	}
	defer aws.Close()

	template, variables := filepath.Join(o.assembly, "sam.template.json"), filepath.Join(o.dir, "env.json")
	err = errors.Join(
		copyTemplate(filepath.Join(o.assembly, deployment+".template.json"), template),
		writeVariables(variables, map[string]string{
			endpointVariable: aws.url, env.ArchiveBucket: archiveBucket, env.WakeQueueURL: aws.url + wakePath,
			env.ClientsSecret: clientsSecret, env.RedisURL: redisURL, env.RedisSecret: "", env.PushTimeout: "2s",
		}),
	)
	if err != nil {
		return err
	}
	fmt.Printf(`The functions find Redis at %s, the archive is the folder %s.
When SAM listens:

  curl -i -u %s:%s -d hello http://127.0.0.1:%s/archives/%s

`, redisURL, filepath.Join(o.dir, archiveBucket), clientName, clientPassword, o.port, streams.Names()[0])
	return runSAM(ctx, o.sam, "local", "start-api", "--template", template, "--env-vars", variables, "--port", o.port, "--skip-pull-image")
}

// runSAM runs the SAM CLI until it ends, or until ctx does.
func runSAM(ctx context.Context, sam string, args ...string) error {
	cmd := exec.CommandContext(ctx, sam, args...)
	cmd.Env = append(os.Environ(), "SAM_CLI_TELEMETRY=0")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// So that it removes its containers.
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

// where is how a server on this machine is reached by containers.
type where struct {
	// listen is the address to listen on, name the host in URLs.
	listen, name string
}

func (w where) url(scheme string, port int) string {
	return fmt.Sprintf("%s://%s", scheme, net.JoinHostPort(w.name, fmt.Sprint(port)))
}
