// Command http is the smallest server that makes a post durable: it reads the body,
// pushes it to a list of Redis and answers 202. It is the floor for the HTTP API of
// the local pipeline. Its arguments are the URL of Redis and the key of the list; its
// first line of output is its address.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
)

func main() {
	log.SetFlags(0)
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal("http: ", err)
	}
}

func run(url, key string) error {
	options, err := redis.ParseURL(url)
	if err != nil {
		return fmt.Errorf("reading the URL of Redis: %w", err)
	}
	client := redis.NewClient(options)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	fmt.Println("http://" + l.Addr().String())
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if err := client.RPush(r.Context(), key, body).Err(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})}
	return server.Serve(l)
}
