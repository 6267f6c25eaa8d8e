package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

type healthVerb struct {
	URL     string        `name:"url" default:"http://127.0.0.1:8080" help:"URL of the API."`
	Wait    time.Duration `help:"Time to wait until the API is healthy."`
	Timeout time.Duration `default:"5s" help:"Timeout of one request."`
}

// Help shows with datasink health --help.
func (*healthVerb) Help() string {
	return `The command requests /health of the API. The exit code is 0 if the API can accept a
record, and 1 if it cannot or does not answer. It sends no credentials.

Examples:

  datasink health
  datasink health --wait 30s
  datasink health --url https://sink.example.com`
}

// Run requests the health, repeatedly with --wait.
func (v *healthVerb) Run(ctx context.Context, _ console) error {
	u, err := url.Parse(v.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return usage("--url=%q: want http://HOST or https://HOST", v.URL)
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	client := &http.Client{Timeout: v.Timeout}
	for deadline := time.Now().Add(v.Wait); ; {
		err := health(ctx, client, u.JoinPath("health").String())
		if err == nil || time.Now().After(deadline) {
			return err
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

func health(ctx context.Context, client *http.Client, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close() // Only the status matters.
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", address, response.Status)
	}
	return nil
}
