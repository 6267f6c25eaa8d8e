package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/rig/lambdatest"
)

const (
	ingestTimeout  = 15 * time.Second
	drainerTimeout = 15 * time.Second
	bridgeTimeout  = 8 * time.Second
)

// functions are the three functions, run as processes.
type functions struct {
	ingest, drainer, bridge *lambdatest.Function
	output                  *os.File

	mu       sync.Mutex
	watchers map[string]*watcher // by caller
}

// Callers are the access key ids that processes sign their calls with. They identify
// the process behind a call.
const (
	ingestCaller  = "INGEST"
	drainerCaller = "DRAINER"
	bridgeCaller  = "BRIDGE"
)

func (s *suite) startFunctions(ctx context.Context) (*functions, error) {
	bin := s.lab.Bin
	if bin == "" {
		bin = filepath.Join(s.dir, "bin")
	}
	if err := os.WriteFile(filepath.Join(s.dir, "streams.json"), []byte(streamsJSON), 0o600); err != nil {
		return nil, fmt.Errorf("writing streams.json: %w", err)
	}
	output, err := os.Create(filepath.Join(s.dir, "functions.log"))
	if err != nil {
		return nil, fmt.Errorf("creating the log of the functions: %w", err)
	}
	f := &functions{output: output, watchers: make(map[string]*watcher)}
	for _, one := range []struct {
		into        **lambdatest.Function
		pkg, caller string
		processes   int
		timeout     time.Duration
		env         func(caller string) []string
	}{
		{&f.ingest, "functions/ingest", ingestCaller, s.settings.ingest, ingestTimeout, s.ingestEnv},
		{&f.drainer, s.settings.drainer, drainerCaller, s.settings.drainers, drainerTimeout, s.drainerEnv},
		{&f.bridge, "functions/bridge", bridgeCaller, s.settings.bridges, bridgeTimeout, func(string) []string { return nil }},
	} {
		name := filepath.Base(one.pkg)
		bootstrap := filepath.Join(bin, name)
		if _, err := os.Stat(bootstrap); err != nil {
			if err := lambdatest.Build(ctx, one.pkg, bootstrap); err != nil {
				return nil, errors.Join(err, output.Close())
			}
		}
		*one.into = lambdatest.New(lambdatest.Options{
			Name: name, Bootstrap: bootstrap, Dir: s.dir, Concurrency: one.processes, Timeout: one.timeout, Output: output,
			Env: func(n int) []string {
				self := one.caller + strconv.Itoa(n)
				return append(s.commonEnv(self), one.env(self)...)
			},
			Ended: func(p *lambdatest.Process, killed bool, err error) {
				s.ended(one.caller+strconv.Itoa(p.Number), killed, err)
			},
		})
	}
	return f, nil
}

func (s *suite) ingestEnv(caller string) []string {
	return append([]string{
		env.RedisURL + "=" + s.redisURL(caller, s.links.ingestRedis), env.ClientsSecret + "=" + clientsSecret, "SSL_CERT_FILE=" + s.caFile,
	}, s.settings.ingestEnv...)
}

func (s *suite) drainerEnv(caller string) []string {
	leasing := s.settings.leasing
	return append([]string{
		env.RedisURL + "=" + s.redisURL(caller, s.links.drainerRedis), env.Lease + "=" + leasing.lease.String(),
		env.ClaimRecords + "=" + strconv.Itoa(leasing.records), env.ClaimBytes + "=" + strconv.Itoa(leasing.bytes),
	}, s.settings.drainerEnv...)
}

// commonEnv returns the variables that all functions have. The access key id
// identifies the caller.
func (s *suite) commonEnv(caller string) []string {
	to := func(l *link) string { return "http://" + l.relay.addr() }
	return []string{
		"AWS_ACCESS_KEY_ID=" + caller, "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_ENDPOINT_URL_KINESIS=" + to(s.links.kinesis), "AWS_ENDPOINT_URL_FIREHOSE=" + to(s.links.firehose),
		"AWS_ENDPOINT_URL_S3=" + to(s.links.s3), "AWS_ENDPOINT_URL_SQS=" + to(s.links.sqs),
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + to(s.links.secrets),
		env.Name + "=" + deployment, env.Streams + "=streams.json", env.ArchiveBucket + "=" + bucket,
		env.WakeQueueURL + "=" + to(s.links.sqs) + wakePath,
	}
}

// redisURL returns the URL at which a process reaches Redis through a link. Unless the
// link has a shared relay, it starts a watcher of the process.
func (s *suite) redisURL(caller string, l *link) string {
	if l.relay != nil {
		return l.relay.redisURL()
	}
	w, err := s.watch(caller, l)
	if err != nil {
		s.problems.add("%v", err)
		return "redis://127.0.0.1:1"
	}
	s.functions.mu.Lock()
	defer s.functions.mu.Unlock()
	s.functions.watchers[caller] = w
	return w.url()
}

// ended handles the end of a process. A process that ends by itself is a problem.
func (s *suite) ended(caller string, killed bool, err error) {
	if !killed {
		s.problems.add("process %s ended by itself: %v", caller, err)
	}
	s.functions.mu.Lock()
	w := s.functions.watchers[caller]
	delete(s.functions.watchers, caller)
	s.functions.mu.Unlock()
	if w != nil {
		w.close()
		s.claims.ended(caller)
	}
}

// find returns the process that signs as caller, or nil if it has ended.
func (f *functions) find(caller string) *lambdatest.Process {
	for prefix, function := range map[string]*lambdatest.Function{ingestCaller: f.ingest, drainerCaller: f.drainer, bridgeCaller: f.bridge} {
		for _, p := range function.Processes() {
			if prefix+strconv.Itoa(p.Number) == caller {
				return p
			}
		}
	}
	return nil
}

func (f *functions) close() {
	for _, function := range []*lambdatest.Function{f.ingest, f.drainer, f.bridge} {
		function.Close()
	}
	f.mu.Lock()
	left := f.watchers
	f.watchers = nil
	f.mu.Unlock()
	for _, w := range left {
		w.close()
	}
	_ = f.output.Close()
}
