package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/rig/awstest"
	"github.com/data-sink/data-sink/internal/rig/s3test"
	"github.com/google/go-cmp/cmp"
)

// s3Client is an ordinary client.
func s3Client(url string) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &url, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("any", "any", ""),
	})
}

// serveS3 serves a bucket, whose objects are in the folder root.
func serveS3(t *testing.T) (b *cloud.Bucket, root string, client *s3.Client) {
	t.Helper()
	b, root, url := serveBucket(t)
	return b, root, s3Client(url)
}

func serveBucket(t *testing.T) (b *cloud.Bucket, root, url string) {
	t.Helper()
	dir := t.TempDir()
	server := awstest.StartForTest(t, awstest.Options{Dir: dir, Buckets: []string{*bucket}})
	return server.Buckets[*bucket], filepath.Join(dir, *bucket), server.URL
}

var bucket = aws.String("archive")

func TestS3ReadsAndWritesObjects(t *testing.T) {
	t.Parallel()
	f, root, client := serveS3(t)
	if err := f.Put(t.Context(), "orders/dt=2026-11-22/hour=23/a.gz", []byte("\x1f\x8b body")); err != nil {
		t.Fatal(err)
	}
	got, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String("orders/dt=2026-11-22/hour=23/a.gz")})
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(got.Body); err != nil || string(body) != "\x1f\x8b body" {
		t.Errorf("GetObject = %q, %v", body, err)
	}
	// The pipeline's own client.
	if err := archive.NewS3(client, *bucket).Put(t.Context(), "failed/x", []byte("put")); err != nil {
		t.Errorf("Put: %v", err)
	}
	if got := s3test.Objects(t, root+"/failed"); got["x"] != "put" {
		t.Errorf("objects %q, want what was put", got)
	}
	if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("failed/x")}); err != nil {
		t.Errorf("DeleteObject: %v", err)
	}
	var missing *types.NoSuchKey
	if _, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String("failed/x")}); !errors.As(err, &missing) {
		t.Errorf("GetObject of an object that is not there = %v", err)
	}
}

func TestS3Lists(t *testing.T) {
	t.Parallel()
	f, _, client := serveS3(t)
	var all []string
	for _, folder := range []string{"a/dt=1/", "a/dt=2/", "a-b/", "b/"} {
		for i := range 3 {
			key := fmt.Sprint(folder, i)
			if err := f.Put(t.Context(), key, bytes.Repeat([]byte("x"), i)); err != nil {
				t.Fatal(err)
			}
			all = append(all, key)
		}
	}
	sorted := []string{"a-b/0", "a-b/1", "a-b/2", "a/dt=1/0", "a/dt=1/1", "a/dt=1/2", "a/dt=2/0", "a/dt=2/1", "a/dt=2/2", "b/0", "b/1", "b/2"}
	if len(all) != len(sorted) {
		t.Fatal("the lists differ")
	}
	for name, tt := range map[string]struct {
		in             s3.ListObjectsV2Input
		keys, prefixes []string
	}{
		"everything":         {keys: sorted},
		"by pages":           {in: s3.ListObjectsV2Input{MaxKeys: aws.Int32(5)}, keys: sorted},
		"prefix":             {in: s3.ListObjectsV2Input{Prefix: aws.String("a/dt=2/")}, keys: sorted[6:9]},
		"part of a name":     {in: s3.ListObjectsV2Input{Prefix: aws.String("a/d"), MaxKeys: aws.Int32(4)}, keys: sorted[3:9]},
		"start after":        {in: s3.ListObjectsV2Input{StartAfter: aws.String("a/dt=2/1")}, keys: sorted[8:]},
		"folders":            {in: s3.ListObjectsV2Input{Delimiter: aws.String("/")}, prefixes: []string{"a-b/", "a/", "b/"}},
		"folders by pages":   {in: s3.ListObjectsV2Input{Delimiter: aws.String("/"), MaxKeys: aws.Int32(1)}, prefixes: []string{"a-b/", "a/", "b/"}},
		"folders in one":     {in: s3.ListObjectsV2Input{Delimiter: aws.String("/"), Prefix: aws.String("a/")}, prefixes: []string{"a/dt=1/", "a/dt=2/"}},
		"folders start late": {in: s3.ListObjectsV2Input{Delimiter: aws.String("/"), Prefix: aws.String("a/"), StartAfter: aws.String("a/dt=1/1")}, prefixes: []string{"a/dt=1/", "a/dt=2/"}},
		"files of a folder":  {in: s3.ListObjectsV2Input{Delimiter: aws.String("/"), Prefix: aws.String("b/")}, keys: sorted[9:]},
		"nothing there":      {in: s3.ListObjectsV2Input{Prefix: aws.String("c/d/")}},
		"no folder there":    {in: s3.ListObjectsV2Input{Delimiter: aws.String("/"), Prefix: aws.String("c/d/")}},
		"outside":            {in: s3.ListObjectsV2Input{Prefix: aws.String("../")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.in.Bucket = bucket
			var keys, prefixes []string
			for pages := s3.NewListObjectsV2Paginator(client, &tt.in); pages.HasMorePages(); {
				page, err := pages.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if n := len(page.Contents) + len(page.CommonPrefixes); tt.in.MaxKeys != nil && n > int(*tt.in.MaxKeys) {
					t.Errorf("a page of %d, want %d at most", n, *tt.in.MaxKeys)
				}
				for _, c := range page.Contents {
					keys = append(keys, *c.Key)
				}
				for _, p := range page.CommonPrefixes {
					prefixes = append(prefixes, *p.Prefix)
				}
			}
			if diff := cmp.Diff(tt.keys, keys); diff != "" {
				t.Errorf("keys differ (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.prefixes, prefixes); diff != "" {
				t.Errorf("prefixes differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestS3StaysInTheFolder(t *testing.T) {
	t.Parallel()
	_, root, client := serveS3(t)
	for _, key := range []string{"../lock", "a/../../lock"} {
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader("x")}); err == nil {
			t.Errorf("PutObject(%q): no error", key)
		}
		if _, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: &key}); err == nil {
			t.Errorf("GetObject(%q): no error", key)
		}
	}
	other := "another"
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &other, Key: aws.String("x"), Body: strings.NewReader("x")}); err == nil {
		t.Error("PutObject to another bucket: no error")
	}
	if _, err := client.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: bucket}); err == nil {
		t.Error("DeleteBucket: no error")
	}
	if got := s3test.Objects(t, root); len(got) > 0 {
		t.Errorf("objects %v, want none", got)
	}
}
