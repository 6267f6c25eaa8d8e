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
	Rotate credentialsRotateVerb `cmd:"" help:"Give a client an additional new password."`
	Revoke credentialsRevokeVerb `cmd:"" help:"Revoke the old passwords of a client, or remove the client."`
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

// clientLine is the JSON form of a client.
type clientLine struct {
	Name string `json:"name"`
	// Passwords is the number of live passwords. Plain is the number of them that
	// the secret holds as plain text.
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
	Streams []string `placeholder:"STREAM,…" help:"Streams, or patterns such as checkout-*, that the client may write to. Defaults to all."`
	newPassword
}

// Help shows with datasink credentials add --help.
func (*credentialsAddVerb) Help() string {
	return `The command generates a password and prints it once, to standard output. It exits
when every function accepts the password.

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
	return `The command generates a password and prints it once, to standard output. It exits
when every function accepts the password. The old passwords remain valid, so that
no request is refused. Change the client to the new password, then revoke the old
passwords.

Examples:

  PASSWORD=$(datasink credentials rotate checkout)
  datasink credentials revoke checkout --old`
}

// Run adds a password to a client.
func (v *credentialsRotateVerb) Run(ctx context.Context, c console) error {
	return v.give(ctx, c, func(s *clients.Secret, password string) error { return s.Rotate(v.Client, password) })
}

type credentialsRevokeVerb struct {
	Client string `arg:"" help:"Name of the client."`
	Old    bool   `help:"Revoke all passwords of the client except the newest."`
	connection
}

// Help shows with datasink credentials revoke --help.
func (*credentialsRevokeVerb) Help() string {
	return `Examples:

  datasink credentials revoke checkout --old
  datasink credentials revoke checkout`
}

// Run revokes passwords, or removes the client.
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
		done = fmt.Sprintf("revoked %s of %s", counted(n, "old password"), v.Client)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.err, "datasink: %s; it takes effect within DATASINK_CLIENTS_MAX_AGE, by default 1 minute\n", done)
	return nil
}

// newPassword holds the flags of the verbs that generate a password.
type newPassword struct {
	Plain bool          `help:"Store the plain password in the secret instead of its hash. Everyone who can read the secret, including this command, can then post as the client."`
	Wait  time.Duration `default:"1m" help:"Time until every function has the new password: DATASINK_CLIENTS_MAX_AGE."`
	connection
}

// give generates a password, adds it to the secret with add (as a hash, or as
// plain text with --plain) and prints it. It returns after Wait, when no function
// has an older copy of the secret. Before that a function may refuse the password,
// because it read the secret a moment ago or cannot read it now.
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
	fmt.Fprintln(c.err, "datasink: the new password, which is shown only once:")
	if _, err := fmt.Fprintln(c.out, password); err != nil {
		return err
	}
	fmt.Fprintf(c.err, "datasink: waiting %v until every function accepts it\n", v.Wait)
	select {
	case <-time.After(v.Wait):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("interrupted: the new password is valid, but a function may refuse it until %s", everywhere.Format(time.TimeOnly))
	}
}
