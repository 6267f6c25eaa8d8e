package main

import (
	"cmp"
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/operate/post"
)

type sendVerb struct {
	Stream       string   `arg:"" complete:"stream" help:"Stream to send to."`
	Files        []string `arg:"" optional:"" help:"Files to send; standard input if there are none, or for -."`
	NDJSON       bool     `name:"ndjson" aliases:"lines" help:"Send each line as a record. Empty lines are skipped."`
	Batch        int      `default:"500" help:"With --ndjson, maximum number of lines in a request, up to 10000; 1 sends each line in its own request."`
	Gzip         bool     `help:"Compress the requests. A raw stream stores the bodies compressed."`
	PartitionKey string   `help:"Partition key of all records. By default each record has its own."`
	Skip         int      `help:"Number of records to skip at the beginning, to continue after an interrupt."`
	Key          string   `help:"Start of the idempotency keys of the requests. Defaults to a random text. An interrupt prints it."`
	URL          string   `name:"url" help:"URL of the API. With it the command does not look up a deployment; set --user and --password."`
	JSON         bool     `name:"json" group:"output" help:"Print the final count as JSON."`
	progress
	poster
}

// Help shows with datasink send --help.
func (*sendVerb) Help() string {
	return `Each file is one record, or with --ndjson each line. Lines travel in batches; a batch
also goes after one second. A raw stream, and an API that does not take batches, get
each line in its own request.

A request is repeated after 408, 429, 5xx and network errors. Each request has an
idempotency key, so the API recognises a repetition and the record arrives once.

After an interrupt (Ctrl-C) the command finishes the requests in flight and prints
the values of --skip and --key with which to continue. The exit code is 1 if a record
was not accepted.

Examples:

  datasink send orders order.json
  datasink send orders --ndjson --gzip events-*.ndjson
  seq 10000 | datasink send orders --ndjson --concurrency 64
  DATASINK_PASSWORD=… datasink send orders --url https://sink.example.com --user checkout order.json`
}

// Validate checks the arguments. Kong calls it.
func (v *sendVerb) Validate() error {
	if v.Batch < 1 || v.Batch > maxBatchLines {
		return fmt.Errorf("--batch=%d: want 1 to %d", v.Batch, maxBatchLines)
	}
	if v.Skip < 0 {
		return fmt.Errorf("--skip=%d: want 0 or more", v.Skip)
	}
	if v.URL != "" {
		if err := post.CheckURL(v.URL); err != nil {
			return fmt.Errorf("--url: %w", err)
		}
	}
	return errors.Join(checkStream(v.Stream), v.poster.Validate())
}

// Run sends the records.
func (v *sendVerb) Run(ctx context.Context, c console) error {
	for _, name := range v.Files {
		if err := checkFile(name); err != nil {
			return err
		}
	}
	client, err := v.client(ctx, c)
	if err != nil {
		return err
	}
	if v.Key == "" {
		v.Key = cryptorand.Text()
	}
	began := time.Now()
	n := count{unsent: -1}
	b := v.bar(c, v.Stream, v.size(), true)
	err = client.All(ctx, v.bodies(ctx, b), v.Concurrency, func(o post.Outcome) {
		n.note(o)
		if o.Err != nil && n.errors <= shownFailures && !endsTask(o.Err) {
			b.print(c.err, "datasink: %s: %v", positionOf(o.Body), o.Err)
		}
		b.add(v.length(o.Body))
		b.say(counted(n.Sent, "record"))
	})
	b.end()
	n.Seconds = time.Since(began).Seconds()
	interrupted := errors.Is(err, context.Canceled)
	if interrupted {
		n.Key = v.Key
		if n.NextSkip = v.Skip + n.Sent + n.Failed; n.unsent >= 0 {
			n.NextSkip = n.unsent
		}
	}
	if printed := v.print(c, n); printed != nil {
		return printed
	}
	switch {
	case interrupted:
		fmt.Fprintf(c.err, "datasink: interrupted; continue with --skip=%d --key=%s\n", n.NextSkip, n.Key)
		return exit(exitInterrupted)
	case err != nil:
		return err
	case n.Failed > 0:
		return fmt.Errorf("%d of %s not accepted", n.Failed, counted(n.Failed+n.Sent, "record"))
	case n.Sent == 0:
		fmt.Fprintln(c.err, "datasink: there was nothing to send")
	}
	return nil
}

func (v *sendVerb) client(ctx context.Context, c console) (*post.Client, error) {
	if v.URL != "" {
		return v.poster.client(deployment.API{URL: v.URL, User: cmp.Or(v.User, defaultUser), Password: v.Password}), nil
	}
	_, client, err := v.findToPost(ctx, c, false)
	return client, err
}

func (v *sendVerb) print(c console, n count) error {
	if v.JSON {
		return printJSON(c.out, n)
	}
	_, err := fmt.Fprintf(c.out, "sent %s, %s, in %.1f s (%.0f/s); %d not accepted, %s\n",
		counted(n.Sent, "record"), bytesText(n.Bytes), n.Seconds, float64(n.Sent)/max(n.Seconds, 0.001), n.Failed, retries(n.Retried))
	return err
}

func retries(n int) string {
	if n == 1 {
		return "1 retry"
	}
	return fmt.Sprintf("%d retries", n)
}

// count is the result of a send.
type count struct {
	Sent    int     `json:"sent"`
	Bytes   int64   `json:"bytes"`
	Failed  int     `json:"failed"`
	Retried int     `json:"retried"`
	Seconds float64 `json:"seconds"`
	// NextSkip and Key continue after an interrupt.
	NextSkip int    `json:"nextSkip,omitempty"`
	Key      string `json:"key,omitempty"`
	// unsent is the position of the first record that was not accepted but may be
	// accepted later; -1 if there is none.
	unsent int
	errors int // requests that failed
}

// note counts the outcome of one request.
func (n *count) note(o post.Outcome) {
	n.Retried += o.Retries
	n.Sent += o.Records
	if o.Err == nil {
		n.Bytes += int64(len(o.Body.Bytes))
		return
	}
	n.errors++
	n.Failed += max(o.Body.Lines, 1) - o.Records
	var refusal *post.Refusal
	isFinal := errors.As(o.Err, &refusal) && refusal.IsFinal()
	if first := o.Body.First + o.Records; !isFinal && (n.unsent < 0 || first < n.unsent) {
		n.unsent = first
	}
}

// shownFailures is the maximum number of errors that are printed.
const shownFailures = 10

// endsTask reports whether err is a refusal that ends the whole task. The verb returns
// it, so it is printed once, at the end.
func endsTask(err error) bool {
	var refusal *post.Refusal
	return errors.As(err, &refusal) && refusal.OfAll()
}

// positionOf names the records of a request for a message. Records count from 1.
func positionOf(b post.Body) string {
	if b.Lines < 2 {
		return fmt.Sprintf("record %d, in %s", b.First+1, b.Source)
	}
	return fmt.Sprintf("records %d to %d, in %s", b.First+1, b.First+b.Lines, b.Source)
}
