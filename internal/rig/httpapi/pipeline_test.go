package httpapi_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const user, password = "datasink", "secret"

// pipeline is a local pipeline in a process of its own.
type pipeline struct {
	cmd *exec.Cmd
	// url is the address of the HTTP API, and archive the folder of the objects.
	url, archive string
}

// startPipeline builds and starts the command.
func startPipeline(tb testing.TB) *pipeline {
	tb.Helper()
	dir := tb.TempDir()
	binary := filepath.Join(dir, "datasink")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/datasink").CombinedOutput(); err != nil {
		tb.Fatalf("go build: %v\n%s", err, out)
	}
	data := filepath.Join(dir, "data")
	p := &pipeline{archive: filepath.Join(data, "archive"), cmd: exec.Command(binary, "dev",
		"--addr", "127.0.0.1:0", "--s3-addr", "", "--data", data, "--streams", "../../../streams.json", "--user", user, "--password", password)}
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
	lines := bufio.NewScanner(out)
	for p.url == "" && lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "HTTP API"); ok {
			p.url = strings.TrimSuffix(strings.TrimSpace(rest), "/archives/{stream}")
		}
	}
	if p.url == "" {
		tb.Fatal("the command ended without printing its address")
	}
	go func() {
		for lines.Scan() { // so that the command never waits for a reader
		}
	}()
	return p
}

// stop ends the pipeline when every accepted record is in the archive, and returns
// the records of a stream.
func (p *pipeline) stop(tb testing.TB, stream string) []string {
	tb.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		tb.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		tb.Fatalf("stopping the pipeline: %v", err)
	}
	objects, err := filepath.Glob(filepath.Join(p.archive, stream, "dt=*", "hour=*", "*"))
	if err != nil || len(objects) == 0 {
		tb.Fatalf("objects of %s: %q, %v", stream, objects, err)
	}
	var records []string
	for _, object := range objects {
		out, err := exec.Command("gzip", "-dc", object).Output()
		if err != nil {
			tb.Fatalf("%s: %v", object, err)
		}
		for line := range bytes.Lines(out) {
			records = append(records, strings.TrimSuffix(string(line), "\n"))
		}
	}
	return records
}

// tool returns the path of a program that make installs.
func tool(tb testing.TB, path string) string {
	tb.Helper()
	absolute, err := filepath.Abs(filepath.Join("../../..", path))
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := os.Stat(absolute); err != nil {
		tb.Fatalf("%s is missing: `make %s` installs it", absolute, path)
	}
	return absolute
}

// environment returns the environment of an example.
func environment(url string) []string {
	return append(os.Environ(), "API_URL="+url, "DATASINK_USER="+user, "DATASINK_PASSWORD="+password, fmt.Sprintf("PYTHONDONTWRITEBYTECODE=%d", 1))
}
