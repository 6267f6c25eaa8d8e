// Command datasink runs the pipeline on one machine and operates deployments.
//
// Each verb is a file of its own: a struct with its flags and a method Run.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
)

// verbs are the command's verbs; kong reads the tags.
type verbs struct {
	Dev devVerb `cmd:"" help:"Run the whole pipeline on this machine."`
}

// Exit codes.
const (
	exitFailed = 1 // the verb did not do what it was asked for
	exitUsage  = 2 // the command line is wrong
)

// console is where a verb writes: results to out, all else to err.
type console struct{ out, err io.Writer }

func main() {
	os.Exit(run(context.Background(), os.Args[1:], console{out: os.Stdout, err: os.Stderr}))
}

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string, c console) int {
	parser, err := kong.New(&verbs{},
		kong.Name("datasink"),
		kong.Description("Data Sink: POST a body to one URL and find it in the archive."),
		kong.Writers(c.out, c.err),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(c),
	)
	if err != nil {
		panic(err) // The verbs are declared wrongly.
	}
	verb, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(c.err, "datasink: %v\n", err)
		var usage *kong.ParseError
		if errors.As(err, &usage) {
			fmt.Fprintln(c.err, "Try: datasink --help")
		}
		return exitUsage
	}
	if err := verb.Run(); err != nil {
		fmt.Fprintf(c.err, "datasink: %v\n", err)
		return exitFailed
	}
	return 0
}
