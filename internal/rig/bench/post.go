package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// connections is the number of clients that post at the same time.
const connections = 32

// postRequest returns the bytes of a POST of a JSON body with Basic Auth.
func postRequest(target, user, password string, body []byte) (address string, request []byte, err error) {
	r, err := http.NewRequest(http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return "", nil, fmt.Errorf("reading the URL: %w", err)
	}
	r.SetBasicAuth(user, password)
	r.Header.Set("Content-Type", "application/json")
	var b bytes.Buffer
	err = r.Write(&b)
	return r.Host, b.Bytes(), err
}

// postAll sends a request n times over the connections, each of which waits for the
// answer before it sends again. It returns the time that all took, and the latency of
// each in microseconds. An answer other than 202 is an error. It does not use
// an http.Client, which takes as much CPU time as a server.
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

// readAccepted reads one answer, which must be a 202.
func readAccepted(r *bufio.Reader) error {
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if answer.StatusCode != http.StatusAccepted {
		return fmt.Errorf("%w: %s", errUnexpected, answer.Status)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}
