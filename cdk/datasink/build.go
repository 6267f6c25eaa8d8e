package datasink

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// functions are the names of the folders under functions/ and of the assets.
var functions = []string{"ingest", "drainer", bridgeFunction, verifierFunction}

const (
	// bridgeFunction exists only if a stream has a tap.
	bridgeFunction = "bridge"
	// verifierFunction exists only with the setting verifyHours.
	verifierFunction = "verifier"
)

// findRoot returns the folder of the module that holds dir.
func findRoot(dir string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("finding the repository's root: no go.mod in %s or above", dir)
		}
	}
}

// compile builds the functions of the module at root into into/<function>/bootstrap.
// The result depends only on the sources and on the version of Go, not on the path.
func compile(root, into, architecture string) error {
	bin := filepath.Join(into, "bin")
	args := []string{
		"build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=", "-o", bin + string(filepath.Separator),
	}
	for _, f := range functions {
		args = append(args, "./functions/"+f)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	goarch := map[string]string{settings.ARM64: "arm64", settings.X86: "amd64"}[architecture]
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+goarch, "GOFLAGS=", "GOARM64=", "GOAMD64=")
	if out, err := cmd.CombinedOutput(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return fmt.Errorf("building the functions:\n%s", strings.TrimSpace(string(out)))
		}
		return fmt.Errorf("building the functions: %w", err)
	}
	for _, f := range functions {
		dir := filepath.Join(into, f)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("building the functions: %w", err)
		}
		if err := os.Rename(filepath.Join(bin, f), filepath.Join(dir, "bootstrap")); err != nil {
			return fmt.Errorf("building the functions: %w", err)
		}
	}
	return nil
}

// addStreams writes streams.json beside every bootstrap under dir. The streams are
// sorted and have all defaults, so that the form of the file does not change the
// assets.
func addStreams(dir string, streams *stream.Set) error {
	all := streams.All()
	slices.SortFunc(all, func(a, b stream.Stream) int { return strings.Compare(a.Name, b.Name) })
	if all == nil {
		all = []stream.Stream{}
	}
	b, err := json.MarshalIndent(stream.File{Streams: all}, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the streams: %w", err)
	}
	for _, f := range functions {
		if err := os.WriteFile(filepath.Join(dir, f, "streams.json"), append(b, '\n'), 0o644); err != nil {
			return fmt.Errorf("adding the streams to %s: %w", f, err)
		}
	}
	return nil
}
