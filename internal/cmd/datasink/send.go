package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/data-sink/data-sink/internal/replay"
	"github.com/data-sink/data-sink/internal/send"
	"github.com/data-sink/data-sink/internal/target"
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
	var n count
	taken := v.Skip
	b := v.bar(c, v.Stream, v.size(), true)
	err = client.All(ctx, v.bodies(b), v.Concurrency, func(o send.Outcome) {
		taken++
		n.Retried += max(o.Attempts-1, 0)
		b.add(v.length(o.Body.Bytes))
		if o.Err == nil {
			n.Sent++
			n.Bytes += int64(len(o.Body.Bytes))
		} else if n.Failed++; n.Failed <= shownFailures {
			b.print(c.err, "datasink: record %d: %v", v.Skip+o.Index, o.Err)
		}
		b.say(fmt.Sprintf("%d records", n.Sent))
	})
	b.end()
	n.Seconds = time.Since(began).Seconds()
	if errors.Is(err, context.Canceled) {
		n.NextSkip = taken
	}
	if printed := v.print(c, n); printed != nil {
		return printed
	}
	switch {
	case n.NextSkip > 0:
		fmt.Fprintf(c.err, "datasink: interrupted; go on with --skip=%d\n", n.NextSkip)
		return exit(exitInterrupted)
	case err != nil:
		return err
	case n.Failed > 0:
		return fmt.Errorf("%d of %d records were not accepted", n.Failed, n.Failed+n.Sent)
	}
	return nil
}

// shownFailures bounds how many records that failed are listed.
const shownFailures = 10

func (v *sendVerb) client(ctx context.Context, c console) (*send.Client, error) {
	if v.URL != "" {
		user := v.User
		if user == "" {
			user = "datasink"
		}
		return v.poster.client(target.API{URL: v.URL, User: user, Password: v.Password}), nil
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
func (v *sendVerb) bodies(b *bar) iter.Seq2[send.Body, error] {
	return func(yield func(send.Body, error) bool) {
		by, index := replay.Whole, 0
		if v.NDJSON {
			by = replay.Line
		}
		files := v.Files
		if len(files) == 0 {
			files = []string{"-"}
		}
		for _, name := range files {
			err := read(name, func(r io.Reader) error {
				return by.Split(r, func(body []byte) error {
					if v.NDJSON && (string(body) == "\n" || string(body) == "\r") {
						return nil
					}
					if index++; index <= v.Skip {
						b.add(v.length(body))
						return nil
					}
					if !yield(send.Body{Stream: v.Stream, PartitionKey: v.PartitionKey, Bytes: body, Gzip: v.Gzip}, nil) {
						return errEnough
					}
					return nil
				})
			})
			if errors.Is(err, errEnough) {
				return
			}
			if err != nil {
				yield(send.Body{}, fmt.Errorf("reading %s: %w", name, err))
				return
			}
		}
	}
}

// read opens a file, or standard input for -.
func read(name string, use func(io.Reader) error) error {
	if name == "-" {
		return use(os.Stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return use(f)
}
