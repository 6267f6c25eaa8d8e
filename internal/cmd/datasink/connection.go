package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/operate/post"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// connection holds the flags that choose the deployment a verb works on.
type connection struct {
	Data    string `group:"where" default:".datasink" env:"DATASINK_DATA" type:"path" help:"Data folder of a local pipeline. The verb works on that pipeline while it runs, unless --aws, --profile or --region is given."`
	AWS     bool   `group:"where" name:"aws" env:"DATASINK_AWS" help:"Work on AWS, or on the emulator that AWS_ENDPOINT_URL names."`
	Profile string `group:"where" help:"Profile in the shared AWS configuration; implies --aws."`
	Region  string `group:"where" help:"AWS Region; implies --aws."`
	Name    string `group:"where" default:"datasink" help:"Name of the deployment in AWS, which is the name of its root stack."`
}

func (f *connection) options() deployment.Options {
	return deployment.Options{Data: f.Data, AWS: f.AWS, Profile: f.Profile, Region: f.Region, Name: f.Name}
}

// find returns the deployment and prints its description to c.err.
func (f *connection) find(ctx context.Context, c console) (deployment.Target, error) {
	return found(ctx, c, f.options())
}

// findToWrite is find for a verb that changes the deployment.
func (f *connection) findToWrite(ctx context.Context, c console) (deployment.Target, error) {
	o := f.options()
	o.Write = true
	return found(ctx, c, o)
}

// found returns the deployment that the options choose, and prints its description.
func found(ctx context.Context, c console, o deployment.Options) (deployment.Target, error) {
	if err := stream.ValidateDeployment(o.Name); err != nil {
		return nil, usageError{err}
	}
	t, err := deployment.Find(ctx, o)
	if errors.Is(err, deployment.ErrNoTarget) {
		return nil, usageError{err}
	}
	if err == nil {
		fmt.Fprintf(c.err, "datasink: %s\n", t.Describe())
	}
	return t, err
}

// streamsFile is the flag of the verbs that need the settings of a stream.
type streamsFile struct {
	Streams string `default:"streams.json" type:"path" help:"The streams.json of the deployment."`
}

// stream looks up a stream in streams.json. known is false if the file does not
// exist or has no such stream; a file that cannot be read is an error.
func (f *streamsFile) stream(name string) (s stream.Stream, known bool, err error) {
	set, err := loadStreams(f.Streams)
	if errors.Is(err, fs.ErrNotExist) {
		return stream.Stream{Name: name}, false, nil
	}
	if err != nil {
		return stream.Stream{}, false, err
	}
	if s, known = set.Lookup(name); !known {
		s.Name = name
	}
	return s, known, nil
}

// names returns the names of all streams in streams.json, or none if the file does
// not exist.
func (f *streamsFile) names() ([]string, error) {
	set, err := loadStreams(f.Streams)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return set.Names(), nil
}

// poster holds the flags of the verbs that post records.
type poster struct {
	User        string `group:"posting" env:"DATASINK_USER" help:"Client name. Defaults to the client of the local pipeline, or datasink."`
	Password    string `group:"posting" env:"DATASINK_PASSWORD" help:"Password of the client. Defaults to that of the local pipeline, or a plain password in the clients' secret."`
	Concurrency int    `group:"posting" default:"16" help:"Number of concurrent requests."`
	Attempts    int    `group:"posting" default:"10" help:"Maximum number of attempts for a request that gets 408, 429, 5xx or a network error."`
}

// Validate is called by kong.
func (p *poster) Validate() error {
	if p.Concurrency < 1 || p.Concurrency > 1000 || p.Attempts < 1 {
		return errors.New("--concurrency: want 1 to 1000, and --attempts: want 1 or more")
	}
	return nil
}

// findToPost returns the deployment and a client for its API.
func (p *poster) findToPost(ctx context.Context, c console, f *connection) (deployment.Target, *post.Client, error) {
	o := f.options()
	o.Write, o.User, o.Password = true, p.User, p.Password
	t, err := found(ctx, c, o)
	if err != nil {
		return nil, nil, err
	}
	api, err := t.API(ctx)
	if err == nil {
		err = post.CheckURL(api.URL)
	}
	if err != nil {
		return nil, nil, err
	}
	return t, p.client(api), nil
}

func (p *poster) client(api deployment.API) *post.Client {
	return &post.Client{URL: api.URL, User: api.User, Password: api.Password, HTTP: post.NewHTTP(p.Concurrency), MaxAttempts: p.Attempts}
}

// resentError returns the error of a verb that has sent old records again.
func resentError(c console, sent, refused int, err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(c.err, "datasink: interrupted; the same command continues where it stopped")
		return exit(exitInterrupted)
	case err != nil:
		return err
	case refused > 0:
		return fmt.Errorf("%d of %s not accepted", refused, counted(refused+sent, "record"))
	}
	return nil
}

// interruptible returns a context that the first SIGINT or SIGTERM cancels. The
// second signal ends the process.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// moment is a time on the command line.
type moment struct{ time.Time }

// momentForms are the accepted layouts of an absolute time.
var momentForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02T15", "2006-01-02"}

// UnmarshalText parses a time (in UTC unless it has an offset), a date, "now", or
// a duration before now such as 90m or 2d.
func (m *moment) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "now" {
		m.Time = time.Now().UTC()
		return nil
	}
	for _, form := range momentForms {
		if t, err := time.Parse(form, s); err == nil {
			m.Time = t.UTC()
			return nil
		}
	}
	if ago, ok := duration(s); ok {
		m.Time = time.Now().UTC().Add(-ago)
		return nil
	}
	return fmt.Errorf("%q: want a time such as 2026-11-22T23:05 (UTC), a date, now, or a duration before now such as 90m or 2d", s)
}

// duration parses a duration, which may also be a number of days such as 2d.
func duration(s string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n int
		if _, err := fmt.Sscanf(days+".", "%d.", &n); err == nil && n >= 0 && fmt.Sprint(n) == days {
			return time.Duration(n) * 24 * time.Hour, true
		}
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0
}
