package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/data-sink/data-sink/internal/operate/deployment"
	"github.com/data-sink/data-sink/internal/pipeline/backoff"
)

type healthVerb struct {
	URL     string        `name:"url" help:"URL of the API. Defaults to that of the local pipeline in --data, or http://127.0.0.1:8080 if none runs there."`
	Data    string        `default:".datasink" env:"DATASINK_DATA" type:"path" help:"Data folder of a local pipeline."`
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

// Validate checks the URL. Kong calls it.
func (v *healthVerb) Validate() error {
	if u, err := url.Parse(v.URL); v.URL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "") {
		return fmt.Errorf("--url=%q: want http://HOST or https://HOST, without credentials and without a query", v.URL)
	}
	return nil
}

// Run requests the health, repeatedly with --wait.
func (v *healthVerb) Run(ctx context.Context) error {
	client := &http.Client{Timeout: v.Timeout}
	for deadline := time.Now().Add(v.Wait); ; {
		err := v.health(ctx, client)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		if !backoff.Sleep(ctx, 200*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

// health requests the health once. The local pipeline may start or move between two
// calls, so each call looks up its URL.
func (v *healthVerb) health(ctx context.Context, client *http.Client) error {
	api, err := v.api(ctx)
	if err != nil {
		return err
	}
	address, err := url.JoinPath(api, "health")
	if err != nil {
		return err
	}
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

// api returns the URL of the API.
func (v *healthVerb) api(ctx context.Context) (string, error) {
	if v.URL != "" {
		return v.URL, nil
	}
	local, err := deployment.Find(ctx, deployment.Options{Data: v.Data, Write: true}) // Write excludes AWS.
	if errors.Is(err, deployment.ErrNoTarget) {
		return "http://127.0.0.1:8080", nil
	}
	if err != nil {
		return "", err
	}
	api, err := local.API(ctx)
	return api.URL, err
}
