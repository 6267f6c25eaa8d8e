package main_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"
)

// openTerminal opens a pseudo-terminal of 24 rows and 100 columns.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	var number, unlocked uint32
	for request, value := range map[uintptr]*uint32{syscall.TIOCSPTLCK: &unlocked, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	size := [4]uint16{24, 100}
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, slave.Fd(), syscall.TIOCSWINSZ, uintptr(unsafe.Pointer(&size))); errno != 0 {
		t.Fatal(errno)
	}
	return master, slave
}

// onTerminal runs the command on a terminal and returns what it printed there.
func onTerminal(t *testing.T, args ...string) string {
	t.Helper()
	master, slave := openTerminal(t)
	c := command(t, args...)
	c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close() // The command has its own.
	var out strings.Builder
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(&out, master) }) // The end of a terminal is an error.
	_ = c.Wait()                                   // The text is of interest.
	wg.Wait()
	return out.String()
}

// hostile holds control sequences of terminals: ESC, C1 and bidirectional controls.
const hostile = "hello\x1b]0;owned\a\u009b2J\u202eright to left\u2066"

func TestATerminalGetsNoControlCharacters(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	d.operate(t, hostile, "send", "orders", "--partition-key="+hostile).done(t)
	d.await(t, "orders", 1)
	d.giveUp(t, "orders", "claim\u009b31m", hostile)
	d.giveUp(t, "st\u009b31mream", "claim", hostile)
	for _, args := range [][]string{
		{"tail", "orders", "--since=1h", "--limit=1"},
		{"tail", "orders", "--since=1h", "--limit=1", "--json"},
		{"failed", "ls"},
		{"failed", "ls", "--json"},
		{"failed", "show"},
		{"failed", "show", "--json"},
		{"failed", "redrive", "--stream=st\u009b31mream"},
		{"status", "--interval=100ms"},
		{"status", "--interval=100ms", "--json"},
		{"send", "orders", "absent\x1b[31m"},
	} {
		text := onTerminal(t, append(args, "--data="+d.data)...)
		if text == "" {
			t.Errorf("%q printed nothing", args)
		}
		for _, control := range []string{"\x1b]", "\x1b[31m", "\a", "\u009b", "\u202e", "\u2066"} {
			if strings.Contains(text, control) {
				t.Errorf("%q printed %q to a terminal: %q", args, control, text)
			}
		}
	}
	if got := d.operate(t, "", "tail", "orders", "--since=1h", "--limit=1").done(t); got != hostile+"\n" {
		t.Errorf("tail wrote %q to a pipe, want the exact body", got)
	}
	if got := d.operate(t, "", "tail", "orders", "--since=1h", "--limit=1", "--json"); decoded[struct{ Body string }](t, got).Body != hostile {
		t.Errorf("tail --json wrote %s", got.out)
	}
}

// The terminal echoes Ctrl-C at the cursor. If a line of the progress bar started there,
// its beginning would stay on the screen.
func TestEachLineOfAProgressBarStartsAtTheLeft(t *testing.T) {
	t.Parallel()
	d := start(t, t.TempDir())
	file := filepath.Join(t.TempDir(), "order.json")
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := onTerminal(t, "send", "orders", file, "--data="+d.data)
	if n := strings.Count(text, "orders 2 B"); n == 0 || n != strings.Count(text, "\rorders 2 B") {
		t.Errorf("the bar was drawn %d times, not always from the left: %q", n, text)
	}
}

func TestRevokeAsksOnATerminal(t *testing.T) {
	t.Parallel()
	s := newSecretsManager(t, `{"datasink":"old","checkout":"other"}`)
	master, slave := openTerminal(t)
	c := s.command(t, "credentials", "revoke", "checkout", "--client")
	c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
	if _, err := master.WriteString("n\n"); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, master) }() // A terminal that nobody reads blocks the command.
	if err := c.Run(); err == nil {
		t.Error("revoke --client: no error after the answer no")
	}
	if !s.accepts(t, "checkout", "other") {
		t.Error("the client was removed although the answer was no")
	}
}
