package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/data-sink/data-sink/internal/operate/clients"
)

type credentialsRevokeVerb struct {
	Name  string `arg:"" name:"client" help:"Name of the client."`
	Whole bool   `name:"client" help:"Remove the client with all of its passwords."`
	Force bool   `help:"Do not ask, and allow the last client to be removed."`
	connection
}

// Help shows with datasink credentials revoke --help.
func (*credentialsRevokeVerb) Help() string {
	return `The command revokes all passwords of a client except the newest one. With --client it
removes the client; on a terminal it asks first. The last client is removed only with
--force, because then no client can write.

Examples:

  datasink credentials revoke checkout
  datasink credentials revoke checkout --client`
}

// errNotConfirmed is returned if the user does not confirm the question.
var errNotConfirmed = errors.New("nothing was changed")

// Run revokes passwords, or removes the client.
func (v *credentialsRevokeVerb) Run(ctx context.Context, c console) error {
	t, store, err := v.findClients(ctx, c, toWrite)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("Remove the client %s from %s?", v.Name, t.Describe())
	if v.Whole && !v.Force && !confirmed(c, os.Stdin, question) {
		return errNotConfirmed
	}
	var done string
	onlyHash := false
	err = store.Edit(ctx, func(s *clients.Secret) error {
		if v.Whole {
			done = "removed the client " + v.Name
			return v.remove(s)
		}
		before, _ := s.Lookup(v.Name) // RevokeOld returns the error.
		n, err := s.RevokeOld(v.Name)
		after, _ := s.Lookup(v.Name)
		done = fmt.Sprintf("revoked %s of %s", counted(n, "old password"), v.Name)
		onlyHash = len(before.Plain()) > 0 && len(after.Plain()) == 0
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.err, "datasink: %s; every function knows it within %v\n", done, t.ClientsAge())
	if onlyHash {
		fmt.Fprintf(c.err, "datasink: only a hash of the password is left: to post as %s, set --password or DATASINK_PASSWORD\n", v.Name)
	}
	return nil
}

func (v *credentialsRevokeVerb) remove(s *clients.Secret) error {
	if _, err := s.Lookup(v.Name); err != nil {
		return err
	}
	if len(s.Clients()) == 1 && !v.Force {
		return fmt.Errorf("%s is the last client: without it no client can write; use --force to remove it", v.Name)
	}
	return s.Revoke(v.Name)
}

// confirmed asks a question and reports whether the answer is yes. Without a
// terminal it does not ask and reports true.
func confirmed(c console, in *os.File, question string) bool {
	if !isTerminal(forTerminal(in)) {
		return true
	}
	fmt.Fprint(c.err, question+" [y/N] ")
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true
	}
	return false
}
