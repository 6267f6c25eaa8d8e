package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/operate/post"
	"github.com/data-sink/data-sink/internal/operate/replay"
)

type sendVerb struct {
	Stream       string   `arg:"" help:"Stream to send to."`
	Files        []string `arg:"" optional:"" help:"Files to send; standard input if there are none, or for -."`
	NDJSON       bool     `name:"ndjson" aliases:"lines" help:"Send each line as a record. Empty lines are skipped."`
	Gzip         bool     `help:"Compress the requests. A raw stream stores the bodies compressed."`
	PartitionKey string   `help:"Partition key of all records. By default each record has its own."`
	Skip         int      `help:"Number of records to skip at the beginning, to continue after an interrupt."`
	URL          string   `name:"url" help:"URL of the API. With it the command does not look up a deployment; set --user and --password."`
	JSON         bool     `name:"json" group:"output" help:"Print the final count as JSON."`
	progress
	poster
	connection
}

// Help shows with datasink send --help.
func (*sendVerb) Help() string {
	return `Each file is one record, or with --ndjson each line. A request is repeated after
408, 429, 5xx and network errors, so a record may arrive twice after a fault.

After an interrupt (Ctrl-C) the command finishes the requests in flight and prints
the value of --skip with which to continue. The exit code is 1 if a record was not
accepted.

Examples:

  datasink send orders order.json
  datasink send orders --ndjson --gzip events-*.ndjson
  seq 10000 | datasink send orders --ndjson --concurrency 64
  DATASINK_PASSWORD=… datasink send orders --url https://sink.example.com --user checkout order.json`
}

// count is the result of a send.
type count struct {
	Sent     int     `json:"sent"`
	Bytes    int64   `json:"bytes"`
	Failed   int     `json:"failed"`
	Retried  int     `json:"retried"`
	Seconds  float64 `json:"seconds"`
	NextSkip int     `json:"nextSkip,omitempty"`
	// unsent is the index of the first record that was not accepted but may be
	// accepted later; -1 if there is none.
	unsent int
}

// Run sends the records.
func (v *sendVerb) Run(ctx context.Context, c console) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	client, err := v.client(ctx, c)
	if err != nil {
		return err
	}
	began := time.Now()
	n := count{unsent: -1}
	b := v.bar(c, v.Stream, v.size(), true)
	err = client.All(ctx, v.bodies(ctx, b), v.Concurrency, func(o post.Outcome) {
		n.note(o)
		if o.Err != nil && n.Failed <= shownFailures {
			b.print(c.err, "datasink: record %d: %v", v.Skip+o.Index, o.Err)
		}
		b.add(v.length(o.Body.Bytes))
		b.say(counted(n.Sent, "record"))
	})
	b.end()
	n.Seconds = time.Since(began).Seconds()
	interrupted := errors.Is(err, context.Canceled)
	if interrupted {
		if n.NextSkip = v.Skip + n.Sent + n.Failed; n.unsent >= 0 {
			n.NextSkip = v.Skip + n.unsent // records after it may be sent twice
		}
	}
	if printed := v.print(c, n); printed != nil {
		return printed
	}
	switch {
	case interrupted:
		fmt.Fprintf(c.err, "datasink: interrupted; continue with --skip=%d\n", n.NextSkip)
		return exit(exitInterrupted)
	case err != nil:
		return err
	case n.Failed > 0:
		return fmt.Errorf("%d of %s not accepted", n.Failed, counted(n.Failed+n.Sent, "record"))
	}
	return nil
}

// note counts the outcome of one record.
func (n *count) note(o post.Outcome) {
	n.Retried += max(o.Attempts-1, 0)
	if o.Err == nil {
		n.Sent++
		n.Bytes += int64(len(o.Body.Bytes))
		return
	}
	n.Failed++
	var refusal *post.Refusal
	isFinal := errors.As(o.Err, &refusal) && refusal.IsFinal()
	if !isFinal && (n.unsent < 0 || o.Index < n.unsent) {
		n.unsent = o.Index
	}
}

// shownFailures is the maximum number of errors that are printed.
const shownFailures = 10

func (v *sendVerb) client(ctx context.Context, c console) (*post.Client, error) {
	if v.URL != "" {
		user := v.User
		if user == "" {
			user = "datasink"
		}
		return v.poster.client(deployment.API{URL: v.URL, User: user, Password: v.Password}), nil
	}
	_, client, err := v.findToPost(ctx, c, &v.connection)
	return client, err
}

func (v *sendVerb) print(c console, n count) error {
	if v.JSON {
		return printJSON(c.out, n)
	}
	_, err := fmt.Fprintf(c.out, "sent %s, %s, in %.1f s (%.0f/s); %d not accepted, %d retries\n",
		counted(n.Sent, "record"), bytesText(n.Bytes), n.Seconds, float64(n.Sent)/max(n.Seconds, 0.001), n.Failed, n.Retried)
	return err
}

// length returns the number of bytes that a record occupies in its file.
func (v *sendVerb) length(body []byte) int64 {
	if v.NDJSON {
		return int64(len(body)) + 1
	}
	return int64(len(body))
}

// size returns the total size of the files in bytes, or 0 if it is not known.
func (v *sendVerb) size() int64 {
	var total int64
	for _, name := range v.Files {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			return 0
		}
		total += info.Size()
	}
	return total
}

var errEnough = errors.New("enough")

// bodies yields the records after the first v.Skip.
func (v *sendVerb) bodies(ctx context.Context, b *bar) iter.Seq2[post.Body, error] {
	return func(yield func(post.Body, error) bool) {
		by, index := replay.Whole, 0
		if v.NDJSON {
			by = replay.Line
		}
		files := v.Files
		if len(files) == 0 {
			files = []string{"-"}
		}
		for _, name := range files {
			err := read(ctx, name, func(r io.Reader) error {
				return by.Split(r, func(body []byte) error {
					if v.NDJSON && (string(body) == "\n" || string(body) == "\r") {
						return nil
					}
					if index++; index <= v.Skip {
						b.add(v.length(body))
						return nil
					}
					if !yield(post.Body{Stream: v.Stream, PartitionKey: v.PartitionKey, Bytes: body, Gzip: v.Gzip}, nil) {
						return errEnough
					}
					return nil
				})
			})
			if errors.Is(err, errEnough) {
				return
			}
			if err != nil {
				yield(post.Body{}, fmt.Errorf("reading %s: %w", name, err))
				return
			}
		}
	}
}

// read calls use with the content of a file, or with standard input for "-".
func read(ctx context.Context, name string, use func(io.Reader) error) error {
	if name == "-" {
		return use(untilInterrupt{ctx, os.Stdin})
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return use(f)
}

// untilInterrupt is a reader whose Read returns when ctx ends, even if r blocks. It
// must not be used after that.
type untilInterrupt struct {
	ctx context.Context
	r   io.Reader
}

func (u untilInterrupt) Read(p []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	own := make([]byte, len(p)) // the caller may reuse p after ctx has ended
	go func() {
		n, err := u.r.Read(own)
		done <- result{n, err}
	}()
	select {
	case <-u.ctx.Done():
		return 0, context.Cause(u.ctx)
	case r := <-done:
		return copy(p, own[:r.n]), r.err
	}
}
