package lambdatest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// Build builds a package of this module, such as "functions/ingest", into the file
// output, with the flags that a deployment uses. The working directory is a folder of
// the module.
func Build(ctx context.Context, pkg, output string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=", "-o", output, "github.com/data-sink/data-sink/"+pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w: %s", pkg, err, out)
	}
	return nil
}
