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
}

// openClients reads the clients' file, and makes it with one client if it does not
// exist. A password on the command line wins, and is kept in the file.
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
	if err != nil || !changed {
		return c, err
	}
	encoded, err := secret.Encode()
	if err != nil {
		return c, err
	}
	if err := clients.WriteFile(c.path, encoded); err != nil {
		return c, fmt.Errorf("writing the clients: %w", err)
	}
	return c, nil
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
		if c.password, _ = client.Plain(); v.Password == "" || v.Password == c.password {
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
