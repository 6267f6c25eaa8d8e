package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/data-sink/data-sink/internal/operate/clients"
)

// clientsFile is the clients' document in the data folder.
const clientsFile = "clients.json"

// devClients are the clients of a local pipeline, in a file with the same document
// as the clients' secret on AWS.
type devClients struct {
	path string
	// user and password are the credentials that the command prints. The password is
	// empty if the file holds only its hash.
	user, password string
	changed        *clients.Secret // the document to write; nil if the file has it
}

// openClients reads the clients' file. If the file does not exist, the document has
// one client. A password on the command line replaces the one in the file. The file
// changes only with write.
func (v *devVerb) openClients() (devClients, error) {
	c := devClients{path: v.Clients, user: v.User}
	if c.path == "" {
		c.path = filepath.Join(v.Data, clientsFile)
	}
	secret := new(clients.Secret)
	content, err := os.ReadFile(c.path)
	switch {
	case err == nil:
		if secret, err = clients.Parse(content); err != nil {
			return c, fmt.Errorf("%s: %w", c.path, err)
		}
	case !errors.Is(err, fs.ErrNotExist) || v.Clients != "":
		return c, fmt.Errorf("reading the clients: %w", err)
	}
	changed, err := v.setClient(secret, &c)
	if changed {
		c.changed = secret
	}
	return c, err
}

// write writes the clients' file if the document has changed. A running pipeline
// uses the file, so the caller must hold the lock of the data folder.
func (c devClients) write() error {
	if c.changed == nil {
		return nil
	}
	encoded, err := c.changed.Encode()
	if err != nil {
		return err
	}
	if err := clients.WriteFile(c.path, encoded); err != nil {
		return fmt.Errorf("writing the clients: %w", err)
	}
	return nil
}

// setClient makes sure that the client of the command line exists, and sets user and
// password. Without --user it takes the first client of a file that has others.
func (v *devVerb) setClient(secret *clients.Secret, c *devClients) (changed bool, err error) {
	if v.User == "" {
		c.user = defaultUser
		if _, err := secret.Lookup(defaultUser); err != nil && len(secret.Clients()) > 0 && v.Password == "" {
			c.user = secret.Clients()[0].Name
		}
	}
	client, err := secret.Lookup(c.user)
	exists := err == nil
	if exists {
		if plain := client.Plain(); len(plain) > 0 {
			c.password = plain[len(plain)-1]
		}
		if v.Password == "" || v.Password == c.password {
			return false, nil
		}
		if err := secret.Revoke(c.user); err != nil {
			return false, err
		}
	}
	if c.password = v.Password; c.password == "" {
		c.password = clients.Generate()
	}
	return true, secret.Add(c.user, c.password, client.Streams)
}

// read returns the clients' document, for the pipeline.
func (c devClients) read(context.Context) ([]byte, error) { return os.ReadFile(c.path) }
