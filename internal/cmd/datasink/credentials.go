package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/operate/clients"
)

// credentialsVerbs are the verbs of datasink credentials.
type credentialsVerbs struct {
	Ls     credentialsLsVerb     `cmd:"" help:"List the clients, without their passwords."`
	Add    credentialsAddVerb    `cmd:"" help:"Add a client, with a new password."`
	Rotate credentialsRotateVerb `cmd:"" help:"Give a client a new password beside those that it has."`
	Revoke credentialsRevokeVerb `cmd:"" help:"Take a client's old passwords, or the client itself."`
}

func (f *connection) clients(ctx context.Context, c console) (*clients.Store, error) {
	t, err := f.find(ctx, c)
	if err != nil {
		return nil, err
	}
	return t.Clients(ctx)
}

type credentialsLsVerb struct {
	JSON bool `name:"json" group:"output" help:"Print a JSON array with an object for each client."`
	connection
}

// Help shows with datasink credentials ls --help.
func (*credentialsLsVerb) Help() string {
	return `Examples:

  datasink credentials ls
  datasink credentials ls --json | jq '.[] | select(.passwords > 1)'`
}

// clientLine is a client for --json.
type clientLine struct {
	Name string `json:"name"`
	// Passwords is how many are live, Plain how many of them the secret tells.
	Passwords int `json:"passwords"`
	Plain     int `json:"plain"`
	// Streams is the grant; absent for all streams.
	Streams []string `json:"streams,omitempty"`
}

// Run lists clients.
func (v *credentialsLsVerb) Run(ctx context.Context, c console) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	store, err := v.clients(ctx, c)
	if err != nil {
		return err
	}
	secret, err := store.Read(ctx)
	if err != nil {
		return err
	}
	lines := []clientLine{}
	var rows [][]string
	for _, client := range secret.Clients() {
		l := clientLine{Name: client.Name, Passwords: len(client.Passwords), Plain: client.CountPlain(), Streams: client.Streams}
		lines = append(lines, l)
		grant := "all streams"
		if l.Streams != nil {
			grant = strings.Join(l.Streams, ", ")
		}
		rows = append(rows, []string{l.Name, fmt.Sprint(l.Passwords), fmt.Sprint(l.Plain), grant})
	}
	if v.JSON {
		return printJSON(c.out, lines)
	}
	return printTable(c.out, []string{"CLIENT", "PASSWORDS", "PLAIN", "MAY WRITE TO"}, rows)
}

type credentialsAddVerb struct {
	Client  string   `arg:"" help:"Name of the new client."`
	Streams []string `placeholder:"STREAM,…" help:"Streams, or patterns as in checkout-*, that the client may write to; default all."`
	newPassword
}

// Help shows with datasink credentials add --help.
func (*credentialsAddVerb) Help() string {
	return `The password is generated, and printed to standard output this once. The command
ends when every function knows it.

Examples:

  datasink credentials add checkout --streams 'orders,checkout-*'
  PASSWORD=$(datasink credentials add nightly-load)`
}

// Run adds a client.
func (v *credentialsAddVerb) Run(ctx context.Context, c console) error {
	return v.give(ctx, c, func(s *clients.Secret, password string) error { return s.Add(v.Client, password, v.Streams) })
}

type credentialsRotateVerb struct {
	Client string `arg:"" help:"Name of the client."`
	newPassword
}

// Help shows with datasink credentials rotate --help.
func (*credentialsRotateVerb) Help() string {
	return `The new password is generated, and printed to standard output this once. The
command ends when every function knows it. The old ones stay good, so that no
request is refused: give the client the new one then, and after that take the old
ones with revoke --old.

Examples:

  PASSWORD=$(datasink credentials rotate checkout)
  datasink credentials revoke checkout --old`
}

// Run gives a client one more password.
func (v *credentialsRotateVerb) Run(ctx context.Context, c console) error {
	return v.give(ctx, c, func(s *clients.Secret, password string) error { return s.Rotate(v.Client, password) })
}

type credentialsRevokeVerb struct {
	Client string `arg:"" help:"Name of the client."`
	Old    bool   `help:"Take all of its passwords but the newest."`
	connection
}

// Help shows with datasink credentials revoke --help.
func (*credentialsRevokeVerb) Help() string {
	return `Examples:

  datasink credentials revoke checkout --old
  datasink credentials revoke checkout`
}

// Run takes passwords, or the client.
func (v *credentialsRevokeVerb) Run(ctx context.Context, c console) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	store, err := v.clients(ctx, c)
	if err != nil {
		return err
	}
	done := "revoked " + v.Client
	err = store.Edit(ctx, func(s *clients.Secret) error {
		if !v.Old {
			return s.Revoke(v.Client)
		}
		n, err := s.RevokeOld(v.Client)
		done = fmt.Sprintf("revoked %d old passwords of %s", n, v.Client)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.err, "datasink: %s; the functions notice within DATASINK_CLIENTS_MAX_AGE, by default 1 minute\n", done)
	return nil
}

// newPassword is the flags of the verbs that make a password.
type newPassword struct {
	Plain bool          `help:"Keep the password itself in the secret instead of its hash: whoever may read the secret can then post as the client, this command too."`
	Wait  time.Duration `default:"1m" help:"How long every function takes to know a new password: DATASINK_CLIENTS_MAX_AGE."`
	connection
}

// give puts a new password into the secret by add, in the form in which it is
// kept, and prints it. It returns when no function holds a copy of the secret from
// before: used sooner, the password is refused by a function that cannot look for
// it, because it just did or because the secret cannot be read.
func (v *newPassword) give(ctx context.Context, c console, add func(s *clients.Secret, password string) error) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	store, err := v.clients(ctx, c)
	if err != nil {
		return err
	}
	password := clients.Generate()
	kept := clients.Hash(password)
	if v.Plain {
		kept = password
	}
	if err := store.Edit(ctx, func(s *clients.Secret) error { return add(s, kept) }); err != nil {
		return err
	}
	everywhere := time.Now().Add(v.Wait)
	fmt.Fprintln(c.err, "datasink: the new password follows, this once")
	if _, err := fmt.Fprintln(c.out, password); err != nil {
		return err
	}
	fmt.Fprintf(c.err, "datasink: waiting %v, until every function knows it\n", v.Wait)
	select {
	case <-time.After(v.Wait):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("interrupted: the new password is good, but a function may refuse it until %s", everywhere.Format(time.TimeOnly))
	}
}
