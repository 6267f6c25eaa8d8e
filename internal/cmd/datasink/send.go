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
	Files        []string `arg:"" optional:"" help:"Files to send; standard input without any, or for -."`
	NDJSON       bool     `name:"ndjson" aliases:"lines" help:"Send each line as a record of its own; empty lines are passed over."`
	Gzip         bool     `help:"Compress the records on their way. A raw stream keeps them compressed."`
	PartitionKey string   `help:"Partition key of all records; default each its own."`
	Skip         int      `help:"Pass over so many records at the beginning, to go on after an interrupt."`
	URL          string   `name:"url" help:"URL of the API, to send without looking a deployment up; --user and --password then say as whom."`
	JSON         bool     `name:"json" group:"output" help:"Print the final count as JSON."`
	progress
	poster
	connection
}

// Help shows with datasink send --help.
func (*sendVerb) Help() string {
	return `Each file is one record, or with --ndjson each line. What the API answers with
408, 429 or 5xx, and what the network swallows, is sent again, so that a record
may arrive twice after a fault.

An interrupt (Ctrl-C) lets the requests under way finish, and prints with which
--skip to go on. The exit code is 1 when a record was not accepted.

Examples:

  datasink send orders order.json
  datasink send orders --ndjson --gzip events-*.ndjson
  seq 10000 | datasink send orders --ndjson --concurrency 64
  DATASINK_PASSWORD=… datasink send orders --url https://sink.example.com --user checkout order.json`
}

// count is what became of the records of a send.
type count struct {
	Sent     int     `json:"sent"`
	Bytes    int64   `json:"bytes"`
	Failed   int     `json:"failed"`
	Retried  int     `json:"retried"`
	Seconds  float64 `json:"seconds"`
	NextSkip int     `json:"nextSkip,omitempty"`
	// unsent is the first record that may still be accepted; -1 for none.
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
		b.say(fmt.Sprintf("%d records", n.Sent))
	})
	b.end()
	n.Seconds = time.Since(began).Seconds()
	interrupted := errors.Is(err, context.Canceled)
	if interrupted {
		if n.NextSkip = v.Skip + n.Sent + n.Failed; n.unsent >= 0 {
			n.NextSkip = v.Skip + n.unsent // and a few after it come again
		}
	}
	if printed := v.print(c, n); printed != nil {
		return printed
	}
	switch {
	case interrupted:
		fmt.Fprintf(c.err, "datasink: interrupted; go on with --skip=%d\n", n.NextSkip)
		return exit(exitInterrupted)
	case err != nil:
		return err
	case n.Failed > 0:
		return fmt.Errorf("%d of %d records were not accepted", n.Failed, n.Failed+n.Sent)
	}
	return nil
}

// note counts a record.
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

// shownFailures bounds how many records that failed are listed.
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
	_, err := fmt.Fprintf(c.out, "sent %d records, %s, in %.1f s (%.0f/s); %d not accepted, %d retries\n",
		n.Sent, bytesText(n.Bytes), n.Seconds, float64(n.Sent)/max(n.Seconds, 0.001), n.Failed, n.Retried)
	return err
}

// length is what a record takes of its file.
func (v *sendVerb) length(body []byte) int64 {
	if v.NDJSON {
		return int64(len(body)) + 1
	}
	return int64(len(body))
}

// size is how many bytes will be sent, as far as the files tell; 0 is unknown.
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

// bodies yields the records but for the first ones.
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

// read opens a file, or standard input for -.
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

// untilInterrupt reads until ctx ends, even when nothing comes to be read. After
// that it is not to be used.
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
	own := make([]byte, len(p)) // for p is the caller's again when ctx has ended
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
