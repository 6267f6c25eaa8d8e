//go:build image

package main_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/operate/tap"
)

const (
	imageKey    = "image-key"
	imageSecret = "image-secret-key"
)

// docker runs a command of the Docker CLI and returns what it printed.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// runImage starts a container of the image with a volume for its data, and waits until
// it is healthy. The three ports are published on free ports of this machine.
func runImage(t *testing.T, volume string, args ...string) (id string) {
	t.Helper()
	id = docker(t, append(append([]string{
		"run", "-d", "-v", volume + ":/data", "-e", "DATASINK_ACCESS_KEY=" + imageKey, "-e", "DATASINK_SECRET_KEY=" + imageSecret,
		"-p", "127.0.0.1::8080", "-p", "127.0.0.1::8081", "-p", "127.0.0.1::8082",
	}, args...), "datasink")...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the container wrote:\n%s", docker(t, "logs", id))
		}
		docker(t, "rm", "-f", id)
	})
	waitFor(t, "the container to be healthy", func() bool {
		return docker(t, "inspect", "-f", "{{.State.Health.Status}}", id) == "healthy"
	})
	return id
}

// published returns the URL of a port of the container.
func published(t *testing.T, id, port string) string {
	t.Helper()
	return "http://" + docker(t, "port", id, port)
}

// postTo posts a body to the API of a container and returns the status.
func postTo(t *testing.T, id, password, body string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, published(t, id, "8080")+"/archives/orders", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("datasink", password)
	return statusOf(t, r)
}

func statusOf(t *testing.T, r *http.Request) int {
	t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode
}

// archiveOf reads all objects of the stream orders through the S3 port of a container.
func archiveOf(t *testing.T, id string) string {
	t.Helper()
	client := s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(published(t, id, "8081")), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(imageKey, imageSecret, ""),
	})
	bucket := local.ArchiveBucket
	list, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String("orders/")})
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, o := range list.Contents {
		object, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: o.Key})
		if err != nil {
			t.Fatal(err)
		}
		r, err := gzip.NewReader(object.Body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&all, r); err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// TestImage runs the image as the README and compose.yaml do. A second container with
// the same volume goes on where the first one stopped.
func TestImage(t *testing.T) {
	volume := docker(t, "volume", "create")
	t.Cleanup(func() { docker(t, "volume", "rm", "-f", volume) })
	first := runImage(t, volume, "-e", "DATASINK_PASSWORD=secret")
	if user := docker(t, "inspect", "-f", "{{.Config.User}}", first); user != "65532:65532" {
		t.Errorf("the container runs as %q, want the user 65532", user)
	}
	if status := postTo(t, first, "secret", "first"); status != http.StatusAccepted {
		t.Fatalf("POST: status %d, want 202", status)
	}
	waitFor(t, "the record to be in the archive", func() bool { return archiveOf(t, first) == "first\n" })

	reader := tap.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(published(t, first, "8082")),
		Credentials: credentials.NewStaticCredentialsProvider(imageKey, imageSecret, ""),
	})
	var tapped []string
	window := tap.Window{From: time.Now().Add(-time.Hour), Until: time.Now()}
	err := reader.Read(t.Context(), "datasink.orders", window, func(r tap.Record) error {
		tapped = append(tapped, string(r.Body))
		return nil
	})
	if err != nil || len(tapped) != 1 || tapped[0] != "first" {
		t.Errorf("the tap has %q (%v), want the record", tapped, err)
	}

	page, err := http.NewRequestWithContext(t.Context(), http.MethodGet, published(t, first, "8080")+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if status := statusOf(t, page); status != http.StatusNotFound {
		t.Errorf("the live page: status %d, want 404 without --page-addr", status)
	}
	if status := docker(t, "exec", first, "/datasink", "status"); !strings.Contains(status, "orders") {
		t.Errorf("datasink status in the container printed:\n%s", status)
	}
	docker(t, "stop", "-t", "120", first)
	if code := docker(t, "inspect", "-f", "{{.State.ExitCode}}", first); code != "0" {
		t.Errorf("after docker stop the exit code is %s, want 0", code)
	}

	second := runImage(t, volume)
	if status := postTo(t, second, "secret", "second"); status != http.StatusAccepted {
		t.Fatalf("POST with the password of the first container: status %d, want 202", status)
	}
	waitFor(t, "both records to be in the archive", func() bool { return archiveOf(t, second) == "first\nsecond\n" })
}
