package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
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

	mu      sync.Mutex
	proxies map[string]proxies // by caller
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
	packages := map[string]string{"ingest": "./functions/ingest", "drainer": s.settings.drainer, "bridge": "./functions/bridge"}
	bootstrap := func(name string) string { return filepath.Join(bin, filepath.Base(packages[name])) }
	for name, pkg := range packages {
		if err := build(ctx, pkg, bootstrap(name)); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(s.dir, "streams.json"), []byte(streamsJSON), 0o600); err != nil {
		return nil, fmt.Errorf("writing streams.json: %w", err)
	}
	output, err := os.Create(filepath.Join(s.dir, "functions.log"))
	if err != nil {
		return nil, fmt.Errorf("creating the log of the functions: %w", err)
	}
	f := &functions{output: output, proxies: make(map[string]proxies)}
	start := func(name, caller string, processes int, timeout time.Duration, more func(caller string) []string) *lambdatest.Function {
		return lambdatest.New(lambdatest.Options{
			Name: name, Bootstrap: bootstrap(name), Dir: s.dir, Concurrency: processes, Timeout: timeout, Output: output,
			Env: func(n int) []string {
				self := caller + strconv.Itoa(n)
				return append(s.commonEnv(self), more(self)...)
			},
			Ended: func(p *lambdatest.Process, killed bool, err error) {
				s.ended(caller+strconv.Itoa(p.Number), killed, err)
			},
		})
	}
	set := s.settings
	ingestRedis := "redis://" + s.links.ingestRedis.addr()
	if set.cluster { // The functions' clients must see the links instead of the nodes.
		all, err := startProxies(watch{caller: ingestCaller, leasing: set.leasing, claims: s.claims, pushes: s.pushes, traps: s.traps}, s.links.ingestRedis.addrs(), s.redis.addrs())
		if err != nil {
			return nil, err
		}
		f.proxies[ingestCaller], ingestRedis = all, all.url()
	}
	if s.tls != nil {
		ingestRedis = "rediss://" + s.tls.addr()
	}
	f.ingest = start("ingest", ingestCaller, set.ingest, ingestTimeout, func(caller string) []string {
		url := ingestRedis
		if set.keys {
			url = s.proxiesFor(caller, s.links.ingestRedis)
		}
		return append([]string{env.RedisURL + "=" + url, env.ClientsSecret + "=" + clientsSecret, "SSL_CERT_FILE=" + s.caFile}, set.ingestEnv...)
	})
	f.drainer = start("drainer", drainerCaller, set.drainers, drainerTimeout, func(caller string) []string {
		return append([]string{
			env.RedisURL + "=" + s.proxiesFor(caller, s.links.drainerRedis), env.Lease + "=" + set.leasing.lease.String(),
			env.ClaimRecords + "=" + strconv.Itoa(set.leasing.records), env.ClaimBytes + "=" + strconv.Itoa(set.leasing.bytes),
		}, set.drainerEnv...)
	})
	f.bridge = start("bridge", bridgeCaller, set.bridges, bridgeTimeout, func(string) []string { return nil })
	return f, nil
}

// commonEnv returns the variables that all functions have. The access key id
// identifies the caller.
func (s *suite) commonEnv(caller string) []string {
	to := func(l *link) string { return "http://" + l.addr() }
	return []string{
		"AWS_ACCESS_KEY_ID=" + caller, "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_ENDPOINT_URL_KINESIS=" + to(s.links.kinesis), "AWS_ENDPOINT_URL_FIREHOSE=" + to(s.links.firehose),
		"AWS_ENDPOINT_URL_S3=" + to(s.links.s3), "AWS_ENDPOINT_URL_SQS=" + to(s.links.sqs),
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + to(s.links.secretsMgr),
		env.Name + "=" + deployment, env.Streams + "=streams.json", env.ArchiveBucket + "=" + bucket,
		env.WakeQueueURL + "=" + to(s.links.sqs) + wakePath,
	}
}

// proxiesFor starts the proxies of one process to Redis through a link, and returns their
// URL.
func (s *suite) proxiesFor(caller string, l *link) string {
	all, err := startProxies(watch{
		caller: caller, leasing: s.settings.leasing, claims: s.claims, pushes: s.pushes, traps: s.traps,
		timeUp: func() bool {
			p := s.functions.find(caller)
			return p != nil && time.Until(p.Deadline()) < drainerTimeout/10+500*time.Millisecond
		},
	}, l.addrs(), s.redis.addrs())
	if err != nil {
		s.problems.add("%v", err)
		return "redis://127.0.0.1:1"
	}
	s.functions.mu.Lock()
	defer s.functions.mu.Unlock()
	s.functions.proxies[caller] = all
	return all.url()
}

// ended handles the end of a process. A process that ends by itself is a problem.
func (s *suite) ended(caller string, killed bool, err error) {
	if !killed {
		s.problems.add("process %s ended by itself: %v", caller, err)
	}
	s.functions.mu.Lock()
	all := s.functions.proxies[caller]
	delete(s.functions.proxies, caller)
	s.functions.mu.Unlock()
	if all != nil {
		all.close()
		s.claims.ended(caller)
	}
}

// find returns the process that signs as caller, or nil if it has ended.
func (f *functions) find(caller string) *lambdatest.Process {
	for prefix, function := range map[string]*lambdatest.Function{ingestCaller: f.ingest, drainerCaller: f.drainer, bridgeCaller: f.bridge} {
		number, ok := strings.CutPrefix(caller, prefix)
		if !ok {
			continue
		}
		for _, p := range function.Processes() {
			if strconv.Itoa(p.Number) == number {
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
	left := f.proxies
	f.proxies = nil
	f.mu.Unlock()
	for _, all := range left {
		all.close()
	}
	_ = f.output.Close()
}

// build builds a package of this module into path, unless path exists. The working
// directory may be any folder of the module.
func build(ctx context.Context, pkg, path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	root := filepath.Dir(strings.TrimSpace(string(mod)))
	if err != nil || root == "." {
		return fmt.Errorf("finding the module: run the suite in the source tree: %w", errors.Join(err, os.ErrNotExist))
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=", "-o", path, pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w: %s", pkg, err, out)
	}
	return nil
}
