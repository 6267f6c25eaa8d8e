package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"
)

// where is how containers reach a server on this machine.
type where struct {
	// listen is the address to listen on, name the host in URLs.
	listen, name string
}

// url returns the URL at which containers reach a server with an address.
func (w where) url(scheme, addr string) string {
	_, port, _ := strings.Cut(addr, ":")
	return scheme + "://" + net.JoinHostPort(w.name, port)
}

// bridge is the command that prints the name of Docker's bridge network, which SAM's
// containers use.
var bridge = []string{"docker", "network", "inspect", "bridge", "--format", `{{index .Options "com.docker.network.bridge.name"}}`}

// containerHost returns the address at which only containers reach this machine. On
// Linux it is the machine's address in Docker's bridge network. Docker Desktop
// forwards from a host name.
func containerHost(ctx context.Context) (where, error) {
	if runtime.GOOS != "linux" {
		return where{listen: "127.0.0.1", name: "host.docker.internal"}, nil
	}
	name, err := exec.CommandContext(ctx, bridge[0], bridge[1:]...).Output()
	if err != nil {
		return where{}, fmt.Errorf("asking Docker for its bridge network (is Docker installed and running?): %w", err)
	}
	link, err := net.InterfaceByName(strings.TrimSpace(string(name)))
	if err != nil {
		return where{}, fmt.Errorf("finding Docker's bridge network: %w", err)
	}
	addresses, err := link.Addrs()
	if err != nil {
		return where{}, fmt.Errorf("finding the address of %s: %w", link.Name, err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
			return where{listen: n.IP.String(), name: n.IP.String()}, nil
		}
	}
	return where{}, fmt.Errorf("finding the address of %s: it has no IPv4 address", link.Name)
}
