package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/operate/clients"
	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/pipeline/backoff"
)

// credentialsVerbs are the verbs of datasink credentials.
type credentialsVerbs struct {
	Ls     credentialsLsVerb     `cmd:"" help:"List the clients, without their passwords."`
	Add    credentialsAddVerb    `cmd:"" help:"Add a client, with a new password."`
	Rotate credentialsRotateVerb `cmd:"" help:"Give a client an additional new password."`
	Revoke credentialsRevokeVerb `cmd:"" help:"Revoke the old passwords of a client, or remove the client."`
}

type credentialsLsVerb struct {
	JSON bool `name:"json" group:"output" help:"Print a JSON array with an object for each client."`
	connection
}

// Help shows with datasink credentials ls --help.
func (*credentialsLsVerb) Help() string {
	return `AGES has the age of each password, oldest first. It comes from the versions of the
secret. A plus sign means that the password may be older: the oldest version that can be
read already has it, and the file of a local pipeline has only one version.
A question mark means that the versions cannot be read.

Examples:

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
	// Created is when each password was added, oldest first; absent if it is unknown.
	Created []clients.Created `json:"created,omitempty"`
	// Streams is the grant; absent for all streams.
	Streams []string `json:"streams,omitempty"`
}

// agesText formats the ages of passwords.
func agesText(created []clients.Created, now time.Time) string {
	if created == nil {
		return "?"
	}
	var ages []string
	for _, c := range created {
		age := ageText(now.Sub(c.At))
		if c.OrEarlier {
			age += "+"
		}
		ages = append(ages, age)
	}
	return strings.Join(ages, ", ")
}

// Run lists clients.
func (v *credentialsLsVerb) Run(ctx context.Context, c console) error {
	_, store, err := v.findClients(ctx, c, toRead)
	if err != nil {
		return err
	}
	secret, err := store.Read(ctx)
	if err != nil {
		return err
	}
	created, err := store.Created(ctx, secret)
	if err != nil {
		fmt.Fprintf(c.err, "datasink: the ages of the passwords are unknown: %v\n", err)
	}
	lines := []clientLine{}
	var rows [][]string
	for _, client := range secret.Clients() {
		l := clientLine{client.Name, len(client.Passwords), len(client.Plain()), created[client.Name], client.Streams}
		lines = append(lines, l)
		grant := "all streams"
		if l.Streams != nil {
			grant = strings.Join(l.Streams, ", ")
		}
		rows = append(rows, []string{l.Name, fmt.Sprint(l.Passwords), fmt.Sprint(l.Plain), agesText(l.Created, time.Now()), grant})
	}
	if v.JSON {
		return printJSON(c.out, lines)
	}
	return printTable(c.out, []string{"CLIENT", "PASSWORDS", "PLAIN", "AGES", "MAY WRITE TO"}, rows)
}

type credentialsAddVerb struct {
	Client  string   `arg:"" help:"Name of the new client."`
	Streams []string `complete:"stream" placeholder:"STREAM,…" help:"Streams, or patterns such as checkout-*, that the client may write to. Defaults to all."`
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
	if v.Streams != nil && slices.Contains(v.Streams, "") || v.Streams != nil && len(v.Streams) == 0 {
		return usage("--streams: want names or patterns; leave the flag out to grant all streams")
	}
	if err := clients.Check(v.Client, v.Streams); err != nil {
		return usageError{err}
	}
	t, store, err := v.findClients(ctx, c, toWrite)
	if err != nil {
		return err
	}
	warnOfUnknown(ctx, c, t, v.Streams)
	return v.give(ctx, c, t, store, func(s *clients.Secret, password string) error { return s.Add(v.Client, password, v.Streams) })
}

// warnOfUnknown warns of names and patterns that match no stream of the deployment.
// A grant for a stream that does not exist yet is allowed. If the deployment does not
// list its streams, there is no warning.
func warnOfUnknown(ctx context.Context, c console, t deployment.Target, patterns []string) {
	if len(patterns) == 0 {
		return
	}
	inspection, err := t.Inspect(ctx)
	if err != nil {
		return
	}
	known := inspection.Names()
	for _, pattern := range patterns {
		if !slices.ContainsFunc(known, func(name string) bool { return clients.Matches(pattern, name) }) {
			fmt.Fprintf(c.err, "datasink: warning: %s matches no stream; the deployment has %s\n", pattern, strings.Join(known, ", "))
		}
	}
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
  datasink credentials revoke checkout`
}

// Run adds a password to a client.
func (v *credentialsRotateVerb) Run(ctx context.Context, c console) error {
	t, store, err := v.findClients(ctx, c, toWrite)
	if err != nil {
		return err
	}
	return v.give(ctx, c, t, store, func(s *clients.Secret, password string) error { return s.Rotate(v.Client, password) })
}

// newPassword holds the flags of the verbs that generate a password.
type newPassword struct {
	Plain bool           `help:"Store the plain password in the secret instead of its hash. Everyone who can read the secret, including this command, can then post as the client."`
	Wait  *time.Duration `placeholder:"DURATION" help:"Time until every function accepts the password. Defaults to 1m on AWS, and to 1s on the local pipeline."`
	connection
}

// give generates a password, adds it to the secret with add (as a hash, or as plain text
// with --plain) and prints it. It returns when no function has an older copy of the
// secret: such a function refuses the password if it cannot read the secret now, or has
// read it in the last seconds.
func (v *newPassword) give(ctx context.Context, c console, t deployment.Target, store *clients.Store, add func(s *clients.Secret, password string) error) error {
	password := clients.Generate()
	kept := clients.Hash(password)
	if v.Plain {
		kept = password
	}
	if err := store.Edit(ctx, func(s *clients.Secret) error { return add(s, kept) }); err != nil {
		return err
	}
	wait := t.ClientsAge()
	if v.Wait != nil {
		wait = *v.Wait
	}
	everywhere := time.Now().Add(wait)
	fmt.Fprintln(c.err, "datasink: the new password, which is shown only once:")
	if _, err := fmt.Fprintln(c.out, password); err != nil {
		return err
	}
	if wait <= 0 {
		return nil
	}
	fmt.Fprintf(c.err, "datasink: waiting %v until every function accepts it\n", wait)
	if !backoff.Sleep(ctx, wait) {
		return fmt.Errorf("interrupted: the new password is valid, but a function may refuse it until %s", everywhere.Format(time.TimeOnly))
	}
	return nil
}
