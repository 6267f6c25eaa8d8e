//go:build e2e

package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// stackName is the name of the default stack.
const stackName = "datasink"

// commandLimit is far above the time that a command of the CDK takes on a slow
// machine with cold caches.
const commandLimit = 10 * time.Minute

// outputs are the outputs of the stack, as the README lists them.
type outputs struct {
	ApiUrl, ArchiveBucket, ClientsSecret, WakeQueue string // the stack's names
	IngestFunction, DrainerFunction, BridgeFunction string
	// VerifierFunction is empty without a verifier.
	VerifierFunction string
	// LakeDatabase and ObjectsTopic are empty without the settings lake and objectsTopic.
	LakeDatabase, ObjectsTopic string
}

// cdkApp runs the real CDK CLI on the app in cdk/.
type cdkApp struct {
	emulator *emulator
	home     string
	settings []string
	// assembly is the folder of the synthesized stack.
	assembly string
}

func newCDKApp(tb testing.TB, e *emulator) *cdkApp {
	tb.Helper()
	architecture := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	if architecture == "" {
		tb.Fatalf("no function runs on %s", runtime.GOARCH)
	}
	home := tb.TempDir()
	return &cdkApp{
		emulator: e, home: home, assembly: filepath.Join(home, "cdk.out"),
		// The default stack, except for the architecture: the emulator runs
		// functions as processes of this machine.
		settings: []string{"-c", "architecture=" + architecture},
	}
}

// run runs a command of the CDK in a folder.
func (a *cdkApp) run(tb testing.TB, dir string, args ...string) {
	tb.Helper()
	run(tb, commandLimit, a.command(tb, dir, args...))
}

func (a *cdkApp) command(tb testing.TB, dir string, args ...string) *exec.Cmd {
	tb.Helper()
	cmd := exec.Command(cdkCommand(tb), append(args, "--no-color", "--ci")...)
	cmd.Dir = dir
	cmd.Env = append(a.emulator.environment(a.home), goSettings(tb)...)
	cmd.Env = append(cmd.Env, "TMPDIR="+tb.TempDir())
	return cmd
}

func (a *cdkApp) bootstrap(tb testing.TB) {
	tb.Helper()
	// In a folder without an app the CLI synthesizes nothing.
	a.run(tb, a.home, "bootstrap", "aws://"+account+"/"+region)
}

// deploy deploys the stack with the streams of a file.
func (a *cdkApp) deploy(tb testing.TB, streams string, settings ...string) outputs {
	tb.Helper()
	out := filepath.Join(tb.TempDir(), "outputs.json")
	run(tb, commandLimit, a.deployment(tb, streams, out, settings...))
	return readOutputs(tb, out)
}

// synth writes the assembly without deploying it.
func (a *cdkApp) synth(tb testing.TB, streams string, settings ...string) {
	tb.Helper()
	args := append([]string{"synth", "--quiet", "--output", a.assembly, "-c", "streams=" + streams}, a.settings...)
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	a.run(tb, filepath.Join(root(tb), "cdk"), args...)
}

// deployAssembly deploys an assembly that was synthesized before.
func (a *cdkApp) deployAssembly(tb testing.TB) outputs {
	tb.Helper()
	out := filepath.Join(tb.TempDir(), "outputs.json")
	a.run(tb, a.home, "deploy", "--app", a.assembly, "--require-approval", "never", "--outputs-file", out)
	return readOutputs(tb, out)
}

// readOutputs reads the outputs of the stack.
func readOutputs(tb testing.TB, path string) outputs {
	tb.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	var stacks map[string]outputs
	if err := json.Unmarshal(content, &stacks); err != nil {
		tb.Fatalf("reading the stack's outputs: %v", err)
	}
	return stacks[stackName]
}

// tryDeploy deploys the stack and returns an error if that fails.
func (a *cdkApp) tryDeploy(tb testing.TB, streams string) error {
	tb.Helper()
	_, err := try(tb, commandLimit, a.deployment(tb, streams, filepath.Join(tb.TempDir(), "outputs.json")))
	return err
}

// deployment returns the command that deploys the stack.
func (a *cdkApp) deployment(tb testing.TB, streams, outputsFile string, settings ...string) *exec.Cmd {
	tb.Helper()
	args := []string{
		"deploy", "--require-approval", "never", "--outputs-file", outputsFile,
		"--output", a.assembly, "-c", "streams=" + streams,
	}
	args = append(args, a.settings...)
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	return a.command(tb, filepath.Join(root(tb), "cdk"), args...)
}

// destroy removes the stack that was deployed last.
func (a *cdkApp) destroy(tb testing.TB) {
	tb.Helper()
	a.run(tb, a.home, "destroy", "--force", "--app", a.assembly)
}
