// Command account checks the AWS credentials before a deploy, which builds for minutes
// until it needs them. Its arguments are those of the CDK CLI.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/data-sink/data-sink/internal/operate/account"
)

// defaultRegion is the Region that the CDK CLI uses if none is set.
const defaultRegion = "us-east-1"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := check(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// check returns an error if the credentials that the CDK CLI would use do not work.
func check(ctx context.Context, args []string) error {
	_, _, err := account.Open(ctx, profile(args), "")
	if errors.Is(err, account.ErrNoRegion) {
		_, _, err = account.Open(ctx, profile(args), defaultRegion)
	}
	return err
}

// profile returns the value of the flag --profile of the CDK CLI; empty without the flag.
func profile(args []string) string {
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--profile="); ok {
			return value
		}
		if arg == "--profile" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}
