package archive

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/pipeline/backoff"
)

// s3API is the part of the S3 client that the store uses.
type s3API interface {
	PutObject(ctx context.Context, in *s3.PutObjectInput, opts ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	HeadBucket(ctx context.Context, in *s3.HeadBucketInput, opts ...func(*s3.Options)) (*s3.HeadBucketOutput, error)
}

type s3Store struct {
	client s3API
	bucket string
}

// NewS3 returns a Store in one bucket. The client may retry a write whose answer
// was lost: a Put replaces the object by the same bytes, and a Create finds it. The
// role needs s3:PutObject on the objects and, for Check, s3:ListBucket on the
// bucket.
func NewS3(client s3API, bucket string) Store {
	return s3Store{client: client, bucket: bucket}
}

func (s s3Store) Put(ctx context.Context, key string, body []byte) error {
	return s.put(ctx, key, body, nil)
}

// conflictPause and maxConflictPause are the longest pauses after the first and after
// any later answer that another upload of the same key is in progress.
const (
	conflictPause    = 100 * time.Millisecond
	maxConflictPause = time.Second
)

// Create writes an object with If-None-Match. S3 answers 412 if the object exists,
// and 409 while another upload of the key is in progress. Both can be caused by an
// earlier try of the same call. The other upload may be aborted, so that 409 does
// not mean that the object is stored: Create tries again until ctx ends.
func (s s3Store) Create(ctx context.Context, key string, body []byte) error {
	for conflicts := 0; ; conflicts++ {
		err := s.put(ctx, key, body, aws.String("*"))
		switch statusOf(err) {
		case http.StatusPreconditionFailed:
			return nil
		case http.StatusConflict:
		default:
			return err
		}
		if !backoff.Sleep(ctx, backoff.Jitter(conflicts, conflictPause, maxConflictPause)) {
			return err
		}
	}
}

// statusOf returns the HTTP status of an error of the S3 client, or 0.
func statusOf(err error) int {
	var response interface{ HTTPStatusCode() int }
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

func (s s3Store) put(ctx context.Context, key string, body []byte, ifNoneMatch *string) error {
	// With the checksum in a header, the request's body is exactly the object. By
	// default the SDK sends chunks with a trailing checksum, which emulators store
	// unchanged.
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body))
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: &key, Body: plainReader{bytes.NewReader(body)}, ContentLength: aws.Int64(int64(len(body))),
		ChecksumCRC32: aws.String(base64.StdEncoding.EncodeToString(sum)), IfNoneMatch: ifNoneMatch,
	}, pathStyle)
	if err != nil {
		return fmt.Errorf("putting %d bytes into bucket %s: %w", len(body), s.bucket, err)
	}
	return nil
}

// plainReader hides the WriteTo method of a reader: with it, net/http can close the
// connection in the middle of the answer; see package sink.
type plainReader struct{ io.ReadSeeker }

func (s s3Store) Check(ctx context.Context) error {
	if _, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket}, pathStyle); err != nil {
		return fmt.Errorf("checking bucket %s: %w", s.bucket, err)
	}
	return nil
}

// pathStyle puts the bucket into the path if the endpoint is not Amazon's own:
// other endpoints rarely have a host name for each bucket.
func pathStyle(o *s3.Options) {
	if o.BaseEndpoint != nil {
		o.UsePathStyle = true
	}
}
