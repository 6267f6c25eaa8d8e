// Package s3test serves S3 to tests: a bucket of the local AWS, over AWS's own wire
// protocol.
package s3test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/rig/awstest"
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
	dir := tb.TempDir()
	account := awstest.Options{Dir: dir, Buckets: []string{Bucket}, Wrap: o.Wrap}
	if o.Now != nil {
		account.Faults = &cloud.Faults{Inject: func(c cloud.Call) cloud.Fault {
			if c.Operation != "PutObject" {
				return cloud.Fault{}
			}
			return cloud.Fault{After: true, Do: func() {
				if err := os.Chtimes(filepath.Join(dir, filepath.FromSlash(c.Resource)), o.Now(), o.Now()); err != nil {
					tb.Error(err)
				}
			}}
		}}
	}
	server := awstest.StartForTest(tb, account)
	return s3.New(s3.Options{
		Region: cloud.Region, BaseEndpoint: &server.URL, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("any", "any", ""),
	})
}
