// Command release builds the files of a release: archives of the command for Linux
// and macOS, zip files of the Lambda functions, a bill of materials of each, and the
// checksums. Two runs on the same commit write the same bytes.
//
// It runs in the root of the repository, with the Go command.
package main

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	platforms = []platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}}
	functions = []string{"ingest", "drainer", "bridge", "verifier"}
)

type platform struct{ os, arch string }

// builder builds the files of one release.
type builder struct {
	version string
	out     string    // folder of the files
	work    string    // folder of the binaries
	at      time.Time // of every file in an archive: the date of the commit
}

func main() {
	version := flag.String("version", "", "version, such as v1.2.3")
	out := flag.String("out", ".build/release", "folder to write to; its content is removed")
	flag.Parse()
	if err := run(*version, *out); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

var versionForm = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

func run(version, out string) error {
	if !versionForm.MatchString(version) {
		return fmt.Errorf("-version=%q: want a version such as v1.2.3", version)
	}
	at, err := commitDate()
	if err != nil {
		return err
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	b := &builder{version: version, out: out, work: filepath.Join(out, "work"), at: at}
	if err := os.MkdirAll(b.work, 0o755); err != nil {
		return err
	}
	for _, p := range platforms {
		if err := b.command(p); err != nil {
			return err
		}
	}
	for _, arch := range []string{"amd64", "arm64"} {
		for _, name := range functions {
			if err := b.function(name, arch); err != nil {
				return err
			}
		}
	}
	if err := os.RemoveAll(b.work); err != nil {
		return err
	}
	return b.checksums()
}

func commitDate() (time.Time, error) {
	text, err := exec.Command("git", "log", "-1", "--format=%ct").Output()
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the date of the commit: %w", err)
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return time.Unix(seconds, 0).UTC(), err
}

// command writes the archive of the command for a platform.
func (b *builder) command(p platform) error {
	name := fmt.Sprintf("datasink_%s_%s_%s", b.version, p.os, p.arch)
	binary := filepath.Join(b.work, name)
	if err := b.build(p, binary, "./internal/cmd/datasink", "-ldflags", "-s -w -buildid= -X main.release="+b.version); err != nil {
		return err
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	manual, err := os.ReadFile("internal/cmd/datasink/README.md")
	if err != nil {
		return err
	}
	return writeTar(filepath.Join(b.out, name+".tar.gz"), b.at, []file{{"datasink", 0o755, content}, {"README.md", 0o644, manual}})
}

// function writes the zip file of a Lambda function. The bytes of its binary are those
// that the CDK app builds.
func (b *builder) function(name, arch string) error {
	zipped := fmt.Sprintf("%s_%s_%s", name, b.version, arch)
	binary := filepath.Join(b.work, zipped)
	err := b.build(platform{"linux", arch}, binary, "./functions/"+name, "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=")
	if err != nil {
		return err
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	streams, err := os.ReadFile("streams.json")
	if err != nil {
		return err
	}
	return writeZip(filepath.Join(b.out, zipped+".zip"), b.at, []file{{"bootstrap", 0o755, content}, {"streams.json", 0o644, streams}})
}

// build builds a binary and writes its bill of materials in the CycloneDX form.
func (b *builder) build(p platform, binary, pkg string, flags ...string) error {
	fmt.Println(filepath.Base(binary))
	build := exec.Command("go", append(append([]string{"build", "-trimpath", "-o", binary}, flags...), pkg)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.os, "GOARCH="+p.arch)
	if err := output(build); err != nil {
		return fmt.Errorf("building %s for %s/%s: %w", pkg, p.os, p.arch, err)
	}
	list := exec.Command("go", "tool", "-modfile=.ci/release.mod", "cyclonedx-gomod", "bin", "-json", "-noserial", "-notimestamp", "-std",
		"-version", b.version, "-output", filepath.Join(b.out, filepath.Base(binary)+".cdx.json"), binary)
	if err := output(list); err != nil {
		return fmt.Errorf("listing the materials of %s: %w", binary, err)
	}
	return nil
}

// output runs a command, and prints what it wrote only if it fails.
func output(c *exec.Cmd) error {
	var text bytes.Buffer
	c.Stdout, c.Stderr = &text, &text
	if err := c.Run(); err != nil {
		return fmt.Errorf("%w\n%s", err, text.Bytes())
	}
	return nil
}

// checksums writes SHA256SUMS, in the form of sha256sum.
func (b *builder) checksums() error {
	files, err := os.ReadDir(b.out)
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, f := range files { // sorted by name
		content, err := os.ReadFile(filepath.Join(b.out, f.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), f.Name())
	}
	return os.WriteFile(filepath.Join(b.out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}
