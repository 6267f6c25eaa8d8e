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
	Dev         devVerb          `cmd:"" help:"Run the whole pipeline on this machine."`
	Send        sendVerb         `cmd:"" help:"Send records: files, standard input, or each line of them."`
	Tail        tailVerb         `cmd:"" help:"Print the records of a stream as they pass."`
	Status      statusVerb       `cmd:"" help:"Show each stream's queue, rates, dead letters and last object."`
	Verify      verifyVerb       `cmd:"" help:"Compare hop with hop: received equals stored, exactly."`
	Failed      failedVerbs      `cmd:"" help:"List, show and redrive what the pipeline gave up."`
	Replay      replayVerb       `cmd:"" help:"Post archived records to another stream."`
	Streams     streamsVerbs     `cmd:"" help:"Edit streams.json."`
	Credentials credentialsVerbs `cmd:"" help:"Edit the clients' secret."`
	Completion  completionVerb   `cmd:"" help:"Print a script for the shell's completion."`
}

const description = `Data Sink: POST a body to one URL and find it in the archive.

A verb works on the pipeline of this machine while one runs in --data, and else, or
with --aws, on a deployment on AWS.

Exit codes: 0 done; 1 not done, or not all of it; 2 wrong usage; 3 verify found a
difference; 130 interrupted, when there is something to go on with.`

// Exit codes.
const (
	exitFailed      = 1   // the verb did not do what it was asked for
	exitUsage       = 2   // the command line is wrong
	exitDifferent   = 3   // verify found a difference
	exitInterrupted = 130 // the same command can go on
)

// console is where a verb writes: results to out, all else to err.
type console struct{ out, err io.Writer }

func main() {
	os.Exit(run(context.Background(), os.Args[1:], console{out: os.Stdout, err: os.Stderr}))
}

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string, c console) int {
	parser := newParser(ctx, c)
	verb, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(c.err, "datasink: %v\n", err)
		var usage *kong.ParseError
		if errors.As(err, &usage) {
			fmt.Fprintln(c.err, "Try: datasink --help")
		}
		return exitUsage
	}
	err = verb.Run()
	var code exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintf(c.err, "datasink: %v\n", err)
	return exitFailed
}

func newParser(ctx context.Context, c console) *kong.Kong {
	parser, err := kong.New(&verbs{},
		kong.Name("datasink"),
		kong.Description(description),
		kong.Writers(c.out, c.err),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(c),
		flagGroups,
	)
	if err != nil {
		panic(err) // The verbs are declared wrongly.
	}
	return parser
}
