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

// s3API is the part of the S3 client that the store uses.
type s3API interface {
	PutObject(ctx context.Context, in *s3.PutObjectInput, opts ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	HeadBucket(ctx context.Context, in *s3.HeadBucketInput, opts ...func(*s3.Options)) (*s3.HeadBucketOutput, error)
}

type s3Store struct {
	client s3API
	bucket string
}

// NewS3 returns a Store in one bucket. The client may retry a Put, because the
// same bytes replace an object whose answer was lost. The role needs
// s3:PutObject on the objects and, for Check, s3:ListBucket on the bucket.
func NewS3(client s3API, bucket string) Store {
	return s3Store{client: client, bucket: bucket}
}

func (s s3Store) Put(ctx context.Context, key string, body []byte) error {
	// With the checksum in a header, the request's body is exactly the object. By
	// default the SDK sends chunks with a trailing checksum, which emulators store
	// unchanged.
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
