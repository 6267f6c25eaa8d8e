package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"github.com/data-sink/data-sink/internal/rig/redistest"
)

// bridge asks Docker for the name of its bridge, to which SAM's containers connect.
var bridge = []string{"docker", "network", "inspect", "bridge", "--format", `{{index .Options "com.docker.network.bridge.name"}}`}

// containerHost is where containers reach this machine, and nobody else does. On
// Linux that is its address in Docker's bridge; Docker Desktop hands on what
// goes to a name of its own.
func containerHost(ctx context.Context) (where, error) {
	if runtime.GOOS != "linux" {
		return where{listen: "127.0.0.1", name: "host.docker.internal"}, nil
	}
	name, err := exec.CommandContext(ctx, bridge[0], bridge[1:]...).Output()
	if err != nil {
		return where{}, fmt.Errorf("asking Docker for its bridge (is it installed, and does it run?): %w", err)
	}
	link, err := net.InterfaceByName(strings.TrimSpace(string(name)))
	if err != nil {
		return where{}, fmt.Errorf("looking for Docker's bridge: %w", err)
	}
	addresses, err := link.Addrs()
	if err != nil {
		return where{}, fmt.Errorf("looking for the address of %s: %w", link.Name, err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
			return where{listen: n.IP.String(), name: n.IP.String()}, nil
		}
	}
	return where{}, fmt.Errorf("looking for the address of %s: it has none", link.Name)
}

// startRedis runs a redis-server that containers reach, with dir for its folder.
func startRedis(host where, dir string) (*redistest.Server, string, error) {
	port, err := freePort(host.listen)
	if err != nil {
		return nil, "", err
	}
	// Who can connect is up to the address.
	server, err := redistest.Run(dir, "--bind", host.listen, "--port", strconv.Itoa(port), "--protected-mode", "no")
	if err != nil {
		return nil, "", err
	}
	return server, host.url("redis", port), nil
}

func freePort(address string) (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return 0, fmt.Errorf("looking for a free port: %w", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
