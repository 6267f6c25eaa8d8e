package archive

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// s3API is what the store calls of an S3 client.
type s3API interface {
	PutObject(ctx context.Context, in *s3.PutObjectInput, opts ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	HeadBucket(ctx context.Context, in *s3.HeadBucketInput, opts ...func(*s3.Options)) (*s3.HeadBucketOutput, error)
}

type s3Store struct {
	client s3API
	bucket string
}

// NewS3 returns a Store over one bucket. The client's own retries are fine: a
// Put that took effect unseen is replaced by the same bytes. The role needs
// s3:PutObject on the objects and, for Check, s3:ListBucket on the bucket.
func NewS3(client s3API, bucket string) Store {
	return s3Store{client: client, bucket: bucket}
}

func (s s3Store) Put(ctx context.Context, key string, body []byte) error {
	// With the checksum as a header the request's body is the object and nothing
	// else. By default the SDK wraps it into chunks with the checksum behind them,
	// which emulators store as they come.
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body))
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		ChecksumCRC32: aws.String(base64.StdEncoding.EncodeToString(sum)),
	}, pathStyle)
	if err != nil {
		return fmt.Errorf("putting %d bytes into bucket %s: %w", len(body), s.bucket, err)
	}
	return nil
}

func (s s3Store) Check(ctx context.Context) error {
	if _, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket}, pathStyle); err != nil {
		return fmt.Errorf("looking at bucket %s: %w", s.bucket, err)
	}
	return nil
}

// pathStyle keeps the bucket out of the host name where the endpoint is not
// Amazon's own: such a one seldom has a name for each bucket.
func pathStyle(o *s3.Options) {
	if o.BaseEndpoint != nil {
		o.UsePathStyle = true
	}
}
