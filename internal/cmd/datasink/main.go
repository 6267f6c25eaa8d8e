// Command datasink runs the local pipeline and operates deployments.
//
// Each verb has its own file, with a struct for its flags and a method Run.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/data-sink/data-sink/internal/operate/sql"
)

// verbs are the command's verbs; kong reads the tags.
type verbs struct {
	Dev         devVerb          `cmd:"" help:"Run the whole pipeline locally."`
	Send        sendVerb         `cmd:"" help:"Send records: files, standard input, or each line of them."`
	Tail        tailVerb         `cmd:"" help:"Print the records of a stream as they arrive on its tap."`
	Status      statusVerb       `cmd:"" help:"Show each stream's queue, rates, dead letters and last object."`
	Verify      verifyVerb       `cmd:"" help:"Check that every record that was received is stored."`
	Failed      failedVerbs      `cmd:"" help:"List, show and redrive dead letters."`
	Replay      replayVerb       `cmd:"" help:"Post archived records to another stream."`
	SQL         sqlVerb          `cmd:"" name:"sql" help:"Print SQL with which a query engine reads the archive of a stream."`
	Logs        logsVerb         `cmd:"" help:"Print the logs of the functions."`
	Streams     streamsVerbs     `cmd:"" help:"Edit streams.json."`
	Credentials credentialsVerbs `cmd:"" help:"Edit the clients' secret."`
	Completion  completionVerb   `cmd:"" help:"Print a shell completion script."`
	Complete    completeVerb     `cmd:"" hidden:""`
	Health      healthVerb       `cmd:"" help:"Check that an API accepts records."`
	Version     versionVerb      `cmd:"" help:"Print the version."`
}

const description = `Data Sink: POST a body to one URL and find it in the archive.

A verb works on the local pipeline if one is running in --data. Otherwise, verbs that
read work on a deployment in AWS; verbs that write need --aws, --profile or --region
for that.

Exit codes: 0 success; 1 failure or partial failure; 2 wrong usage; 3 verify found a
difference; 130 interrupted, and the same command can continue.`

// Exit codes.
const (
	exitFailed      = 1   // the verb failed, or did only a part of its work
	exitUsage       = 2   // the command line is wrong
	exitDifferent   = 3   // verify found a difference
	exitInterrupted = 130 // the same command can continue
)

// console is where a verb writes: results to out, everything else to err. A writer
// that is a terminal replaces control characters.
type console struct{ out, err io.Writer }

func main() {
	os.Exit(run(context.Background(), os.Args[1:], console{out: forTerminal(os.Stdout), err: forTerminal(os.Stderr)}))
}

// run executes a command line and returns the exit code. The first SIGINT or SIGTERM
// ends the context of the verb; the second one ends the process.
func run(ctx context.Context, args []string, c console) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	if len(args) == 0 {
		args = []string{"--help"}
	} else if args[0] == "help" {
		args = append(args[1:], "--help")
	}
	parser := newParser(ctx, c)
	verb, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(c.err, "datasink: %v\n", err)
		var wrong *kong.ParseError
		if errors.As(err, &wrong) {
			verb = wrong.Context
		}
		printHint(c, verb)
		return exitUsage
	}
	err = verb.Run()
	var code exit
	var wrong usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintf(c.err, "datasink: %v\n", err)
	if errors.As(err, &wrong) {
		printHint(c, verb)
		return exitUsage
	}
	return exitFailed
}

// printHint prints how to get the help of a verb, or of the command if the verb is
// unknown.
func printHint(c console, verb *kong.Context) {
	path := "datasink"
	if verb != nil && verb.Selected() != nil {
		path = verb.Selected().FullPath()
	}
	fmt.Fprintf(c.err, "Try: %s --help\n", path)
}

func newParser(ctx context.Context, c console) *kong.Kong {
	parser, err := kong.New(&verbs{},
		kong.Name("datasink"),
		kong.Description(description),
		kong.Writers(c.out, c.err),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(c),
		kong.Vars{"engines": strings.Join(sql.Engines(), ","), "enginesChoice": strings.Join(sql.Engines(), "|")},
		flagGroups,
	)
	if err != nil {
		panic(err) // A verb is declared wrongly.
	}
	return parser
}

// flagGroups holds the titles of the flag groups in the help.
var flagGroups = kong.ExplicitGroups([]kong.Group{
	{Key: "where", Title: "Flags for the deployment:"}, {Key: "posting", Title: "Flags for posting:"}, {Key: "output", Title: "Flags for the output:"},
})
