package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/rig/lambdatest"
)

var functions = []string{"ingest", "drainer", "bridge"}

// oneStream is the streams.json of the processes.
const oneStream = `{"streams":[{"name":"orders"}]}`

// buildBootstraps builds the functions as they are deployed, and for each a
// hello-world program with the same clients, as ours-<name> and hello-<name> in dir.
func buildBootstraps(dir string) error {
	for _, f := range functions {
		for kind, pkg := range map[string]string{"ours": "functions/", "hello": "internal/rig/bench/hello/"} {
			into := filepath.Join(dir, kind+"-"+f)
			if err := lambdatest.Build(context.Background(), pkg+f, filepath.Join(into, "bootstrap")); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(into, "streams.json"), []byte(oneStream), 0o600); err != nil {
				return fmt.Errorf("building %s-%s: %w", kind, f, err)
			}
		}
	}
	return nil
}

// function returns a bootstrap that runs as on Lambda, with its clients connected to
// the endpoints. more is added to its environment.
func (l *lab) function(kind, name string, more ...string) (*lambdatest.Function, error) {
	dir, err := l.bootstraps()
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, kind+"-"+name)
	settings := append([]string{
		"AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN=token",
		"AWS_ENDPOINT_URL=" + l.aws.URL,
		env.Name + "=" + deployment, env.ArchiveBucket + "=archive", env.RedisURL + "=" + l.redis.URL, env.RedisSecret + "=redis",
		env.ClientsSecret + "=clients", env.WakeQueueURL + "=" + l.aws.URL + "/wake",
	}, more...)
	return lambdatest.New(lambdatest.Options{
		Name: deployment + "-" + name, Bootstrap: filepath.Join(dir, "bootstrap"), Dir: dir, Timeout: time.Minute,
		Env: func(int) []string { return settings },
	}), nil
}

// anyEvent is an event that each function answers, with or without an error.
var anyEvent = []byte(`{}`)

// coldStart measures the time from the start of a process to its first call of the
// Runtime API.
func coldStart(l *lab, rounds int) ([]figure, error) {
	var pairs [][2]side
	for _, name := range functions {
		pairs = append(pairs, [2]side{l.start("cold.start."+name, "ours", name), l.start("cold.start."+name, "hello", name)})
	}
	return compare(rounds, pairs...)
}

// coldStartConnected is coldStart of ingest beside a floor that also reads both
// secrets and connects to Redis.
func coldStartConnected(l *lab, rounds int) ([]figure, error) {
	const name = "cold.start.connected"
	return compare(rounds, [2]side{l.start(name, "ours", "ingest"), l.start(name, "hello", "ingest", "CONNECT="+l.redis.Addr)})
}

// start is a side that starts the bootstrap of a function. more is added to its
// environment.
func (l *lab) start(measureName, kind, name string, more ...string) side {
	return func() ([]measure, error) {
		f, err := l.function(kind, name, more...)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		ctx, cancel := invocation(10)
		defer cancel()
		// The function may return an error: it has started nevertheless.
		var functionError *lambdatest.FunctionError
		if _, err := f.Invoke(ctx, anyEvent); err != nil && !errors.As(err, &functionError) {
			return nil, err
		}
		took := f.Processes()[0].ColdStart()
		return []measure{{measureName, "ms", took.Seconds() * 1000}}, nil
	}
}

// binarySize measures the size of the stripped bootstraps.
func binarySize(l *lab, _ int) ([]figure, error) {
	dir, err := l.bootstraps()
	if err != nil {
		return nil, err
	}
	var all []figure
	for _, name := range functions {
		var sizes [2]float64
		for i, kind := range []string{"ours", "hello"} {
			info, err := os.Stat(filepath.Join(dir, kind+"-"+name, "bootstrap"))
			if err != nil {
				return nil, fmt.Errorf("reading the size of a bootstrap: %w", err)
			}
			sizes[i] = float64(info.Size()) / 1e6
		}
		all = append(all, figureOf("binary.size."+name, "MB", sizes[ours], sizes[floor]))
	}
	return all, nil
}

// peakMemory returns the largest resident set that a process ever had, in bytes.
func peakMemory(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the peak memory: %w", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kB, err := strconv.Atoi(strings.Fields(rest + " -")[0])
	if err != nil {
		return 0, fmt.Errorf("reading the peak memory: %w", err)
	}
	return float64(kB) * 1024, nil
}

// usedCPU returns the CPU time of a process, to a hundredth of a second.
func usedCPU(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the CPU time: %w", err)
	}
	// The form is "<id> (<name>) <state> …"; user and system time are fields 14 and
	// 15.
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	fields := bytes.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("reading the CPU time: %q", stat)
	}
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(string(field))
		if err != nil {
			return 0, fmt.Errorf("reading the CPU time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
