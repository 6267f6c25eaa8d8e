package local_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/local"
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

// waitFor fails the test if the condition does not become true.
func waitFor(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("waited a minute for %s", what)
		}
	}
}

// objects reads a bucket on disk, by key. Objects with names in .gz are unpacked.
func objects(tb testing.TB, root string) map[string]string {
	tb.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".gz") {
			body = unpack(tb, body)
		}
		key, err := filepath.Rel(root, path)
		found[filepath.ToSlash(key)] = string(body)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

func unpack(tb testing.TB, packed []byte) []byte {
	tb.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		tb.Fatal(err)
	}
	body, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// joined is all objects, in the order of their keys.
func joined(m map[string]string) string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var all strings.Builder
	for _, key := range keys {
		all.WriteString(m[key])
	}
	return all.String()
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
