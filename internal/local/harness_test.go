package local_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/local/endpoints"
)

var quiet = slog.New(slog.DiscardHandler)

var bucket = aws.String(local.ArchiveBucket)

// s3Client is an ordinary client of the archive's S3 API.
func s3Client(url string) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &url, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("any", "any", ""),
	})
}

// readEndpoints reads where the pipeline with a data folder listens.
func readEndpoints(tb testing.TB, data string) (e endpoints.Endpoints) {
	tb.Helper()
	content, err := os.ReadFile(filepath.Join(data, endpoints.File))
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(content, &e); err != nil {
		tb.Fatal(err)
	}
	return e
}

// waitFor fails the test if the condition does not become true.
func waitFor(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("waited a minute for %s", what)
		}
	}
}

// atomicBytes is a document that can be replaced while it is read.
type atomicBytes struct {
	mu      sync.Mutex
	content []byte
}

func (b *atomicBytes) Store(content []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.content = content
}

func (b *atomicBytes) Load(context.Context) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.content, nil
}
