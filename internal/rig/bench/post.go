package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// connections is the number of clients that post at the same time.
const connections = 32

// postRequest returns the bytes of a POST of a JSON body with Basic Auth.
func postRequest(target, user, password string, body []byte) (address string, request []byte, err error) {
	u, err := url.Parse(target)
	if err != nil {
		return "", nil, fmt.Errorf("reading the URL: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\n", u.Path, u.Host, basicAuth(user, password))
	fmt.Fprintf(&b, "User-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	return u.Host, b.Bytes(), nil
}

// postAll sends a request n times over the connections, each of which waits for the
// answer before it sends again. It returns the time that all took, and the latency of
// each in microseconds. An answer other than 202 is an error. It does not use
// net/http, whose client takes as much CPU time as a server.
func postAll(address string, request []byte, n int) (took time.Duration, latencies []float64, err error) {
	var next atomic.Int64
	latencies = make([]float64, n)
	began := time.Now()
	var group errgroup.Group
	for range connections {
		group.Go(func() error {
			c, err := net.Dial("tcp", address)
			if err != nil {
				return fmt.Errorf("connecting: %w", err)
			}
			defer func() { _ = c.Close() }()
			answers := bufio.NewReader(c)
			for {
				i := next.Add(1) - 1
				if i >= int64(n) {
					return nil
				}
				sent := time.Now()
				if _, err := c.Write(request); err != nil {
					return fmt.Errorf("posting: %w", err)
				}
				if err := readAccepted(answers); err != nil {
					return err
				}
				latencies[i] = time.Since(sent).Seconds() * 1e6
			}
		})
	}
	err = group.Wait()
	return time.Since(began), latencies, err
}

// readAccepted reads one answer, which must be a 202 with a Content-Length.
func readAccepted(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 202 ")) {
		return fmt.Errorf("%w: %q", errUnexpected, line)
	}
	length := -1
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
		}
	}
	if length < 0 {
		return errors.New("reading the answer: it has no Content-Length")
	}
	if _, err := io.CopyN(io.Discard, r, int64(length)); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}
