package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	target "github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/rig/lambdatest"
)

// localHTTP measures posts of 1 KiB to the local pipeline as `make run` starts it,
// with the Redis of the lab. The floor is a bare net/http server that reads the body
// and pushes it to the same Redis.
func localHTTP(l *lab, rounds int) ([]figure, error) {
	return l.compareHTTP(rounds, "local.http", 20_000, "--redis-url", l.redisURL())
}

// localEmbedded is localHTTP with the embedded Redis. The floor uses the Redis of the
// lab.
func localEmbedded(l *lab, rounds int) ([]figure, error) {
	return l.compareHTTP(rounds, "local.embedded", 10_000)
}

// compareHTTP compares n posts to the local pipeline with n posts to the floor. The
// measures are the rate of the answers, the rate at which the records reach Firehose,
// which for the floor is the same, and the latency.
func (l *lab) compareHTTP(rounds int, name string, n int, args ...string) ([]figure, error) {
	n = max(l.few(n), connections)
	datasink, bare := filepath.Join(l.dir, "datasink"), filepath.Join(l.dir, "http")
	if err := errors.Join(lambdatest.Build(l.ctx, "internal/cmd/datasink", datasink), lambdatest.Build(l.ctx, "internal/rig/bench/hello/http", bare)); err != nil {
		return nil, err
	}
	local, err := l.startLocal(datasink, args...)
	if err != nil {
		return nil, err
	}
	defer local.stop()
	bareServer, err := startServer(bare, l.redisURL(), "floor")
	if err != nil {
		return nil, err
	}
	defer bareServer.stop()
	load := func(s *server, settle func() error) side {
		address, request, err := postRequest(s.url+"/archives/"+orders, localUser, localPassword, jsonBody(1<<10))
		return func() ([]measure, error) {
			if err != nil {
				return nil, err
			}
			began := time.Now()
			took, latencies, err := postAll(address, request, n)
			if err != nil {
				return nil, err
			}
			if err := settle(); err != nil {
				return nil, err
			}
			moved := time.Since(began)
			return []measure{
				{name + ".rate", "/s", float64(n) / took.Seconds()},
				{name + ".moved", "/s", float64(n) / moved.Seconds()},
				{name + ".p50", "us", percentile(latencies, 50)},
				{name + ".p99", "us", percentile(latencies, 99)},
			}, l.empty("")
		}
	}
	return compare(rounds, [2]side{load(&local.server, local.settle), load(bareServer, func() error { return nil })})
}

// localUser and localPassword are the credentials of the client of the local pipeline.
const localUser, localPassword = "datasink", "hunter2hunter2hunter2"

// redisURL is the URL of the lab's Redis with its password.
func (l *lab) redisURL() string {
	return strings.Replace(l.redis.URL, "//", "//:"+redisPassword+"@", 1)
}

// server is a process that serves HTTP.
type server struct {
	cmd *exec.Cmd
	url string
}

// startServer starts a command that prints its URL first.
func startServer(name string, args ...string) (*server, error) {
	s := &server{cmd: exec.Command(name, args...)}
	s.cmd.Stderr = os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", filepath.Base(name), err)
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", filepath.Base(name), err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("starting %s: reading its URL: %w", filepath.Base(name), err)
	}
	_, address, _ := strings.Cut(line, "http://")
	s.url = "http://" + strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(address), "/archives/{stream}"))
	return s, nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Kill() // It may have ended.
	_ = s.cmd.Wait()
}

// pipeline is a local pipeline.
type pipeline struct {
	server
	target target.Target
}

// startLocal starts a local pipeline with the command datasink.
func (l *lab) startLocal(datasink string, args ...string) (*pipeline, error) {
	dir, err := os.MkdirTemp(l.dir, "local")
	if err != nil {
		return nil, fmt.Errorf("creating a folder: %w", err)
	}
	data, list := filepath.Join(dir, "data"), filepath.Join(dir, "streams.json")
	if err := os.WriteFile(list, []byte(oneStream), 0o600); err != nil {
		return nil, fmt.Errorf("writing streams.json: %w", err)
	}
	s, err := startServer(datasink, append([]string{
		"dev", "--addr=127.0.0.1:0", "--s3-addr=", "--aws-addr=", "--data=" + data, "--password=" + localPassword, "--streams=" + list,
	}, args...)...)
	if err != nil {
		return nil, err
	}
	found, err := target.Find(context.Background(), target.Options{Data: data})
	if err != nil {
		s.stop()
		return nil, err
	}
	return &pipeline{server: *s, target: found}, nil
}

// settle waits until Firehose has all records.
func (p *pipeline) settle() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		state, err := p.target.Inspect(ctx)
		if err != nil {
			return err
		}
		if q := state.Streams[orders]; q.Depth == 0 && q.Claims == 0 {
			lags, err := p.target.Lags(ctx, []string{orders})
			if err != nil {
				return err
			}
			if *lags[orders].Bridge == 0 {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("the records do not reach Firehose")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
