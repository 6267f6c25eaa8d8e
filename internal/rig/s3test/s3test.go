// Package s3test serves S3 from memory to tests.
package s3test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// Bucket is the name of the bucket that every server has.
const Bucket = "archive"

// Options change what Start serves. The zero value is an ordinary server.
type Options struct {
	// Wrap puts a handler in front of S3, for faults.
	Wrap func(http.Handler) http.Handler
	// Now is the clock that stamps objects. Default time.Now.
	Now func() time.Time
}

// Start serves S3 on loopback until the test ends, and returns a client for it.
// The server has one empty bucket, Bucket, and does not check signatures.
func Start(tb testing.TB, o Options) *s3.Client {
	tb.Helper()
	var clock s3mem.Option = func(*s3mem.Backend) {}
	if o.Now != nil {
		clock = s3mem.WithTimeSource(timeSource(o.Now))
	}
	var handler http.Handler = gofakes3.New(s3mem.New(clock)).Server()
	if o.Wrap != nil {
		handler = o.Wrap(handler)
	}
	server := httptest.NewServer(handler)
	tb.Cleanup(server.Close)
	client := s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("any", "any", ""),
	})
	if _, err := client.CreateBucket(tb.Context(), &s3.CreateBucketInput{Bucket: aws.String(Bucket)}); err != nil {
		tb.Fatal(err)
	}
	return client
}

// timeSource is a clock for the library.
type timeSource func() time.Time

func (now timeSource) Now() time.Time                  { return now() }
func (now timeSource) Since(t time.Time) time.Duration { return now().Sub(t) }
