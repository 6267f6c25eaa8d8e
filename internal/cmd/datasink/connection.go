package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/data-sink/data-sink/internal/operate/clients"
	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/operate/post"
)

// connection holds the flags that choose the deployment a verb works on.
type connection struct {
	Data    string `group:"where" default:".datasink" env:"DATASINK_DATA" type:"path" help:"Data folder of a local pipeline. The verb works on that pipeline while it runs, unless --aws, --profile or --region is given."`
	AWS     bool   `group:"where" name:"aws" env:"DATASINK_AWS" help:"Work on AWS, or on the emulator that AWS_ENDPOINT_URL names."`
	Profile string `group:"where" help:"Profile in the shared AWS configuration; implies --aws."`
	Region  string `group:"where" help:"AWS Region; implies --aws."`
	Name    string `group:"where" default:"datasink" help:"Name of the deployment in AWS, which is the name of its root stack."`
}

// What a verb does with its deployment. A verb that writes works on AWS only if a flag
// or DATASINK_AWS asks for it.
const (
	toRead  = false
	toWrite = true
)

// find returns the deployment and prints its description to c.err.
func (f *connection) find(ctx context.Context, c console, write bool) (deployment.Target, error) {
	return f.findAs(ctx, c, deployment.Options{Write: write})
}

// findAs is find with the credentials to post with in o.
func (f *connection) findAs(ctx context.Context, c console, o deployment.Options) (deployment.Target, error) {
	o.Data, o.AWS, o.Profile, o.Region, o.Name = f.Data, f.AWS, f.Profile, f.Region, f.Name
	t, err := deployment.Find(ctx, o)
	if errors.Is(err, deployment.ErrNoTarget) {
		return nil, usageError{err}
	}
	if err == nil {
		fmt.Fprintf(c.err, "datasink: %s\n", t.Describe())
	}
	return t, err
}

// findArchive returns the deployment and its archive.
func (f *connection) findArchive(ctx context.Context, c console, write bool) (deployment.Target, deployment.Archive, error) {
	t, err := f.find(ctx, c, write)
	if err != nil {
		return nil, deployment.Archive{}, err
	}
	archive, err := t.Archive(ctx)
	return t, archive, err
}

// findClients returns the deployment and its clients' secret.
func (f *connection) findClients(ctx context.Context, c console, write bool) (deployment.Target, *clients.Store, error) {
	t, err := f.find(ctx, c, write)
	if err != nil {
		return nil, nil, err
	}
	store, err := t.Clients(ctx)
	return t, store, err
}

// poster holds the flags of the verbs that post records.
type poster struct {
	User        string `group:"posting" env:"DATASINK_USER" help:"Client name. Defaults to the client of the local pipeline, or datasink."`
	Password    string `group:"posting" env:"DATASINK_PASSWORD" help:"Password of the client. Defaults to a plain password in the clients' secret, or in the clients' file of the local pipeline."`
	Concurrency int    `group:"posting" default:"16" help:"Number of concurrent requests."`
	Attempts    int    `group:"posting" default:"10" help:"Maximum number of attempts for a request that gets 408, 429, 5xx or a network error."`
	connection
}

// Validate checks the flags. Kong calls it.
func (p *poster) Validate() error {
	if p.Concurrency < 1 || p.Concurrency > 1000 || p.Attempts < 1 {
		return errors.New("--concurrency: want 1 to 1000, and --attempts: want 1 or more")
	}
	return nil
}

// findToPost returns the deployment and a client for its API. With dryRun the verb only
// reads, and the client is nil.
func (p *poster) findToPost(ctx context.Context, c console, dryRun bool) (deployment.Target, *post.Client, error) {
	if dryRun {
		t, err := p.find(ctx, c, toRead)
		return t, nil, err
	}
	t, err := p.findAs(ctx, c, deployment.Options{Write: true, User: p.User, Password: p.Password})
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
