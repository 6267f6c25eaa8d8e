// Package bucket reads the archive's bucket.
package bucket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/klauspost/compress/gzip"
)

// Object is one object of the bucket.
type Object struct {
	Key string
	// Size is in bytes, as stored.
	Size int64
	// WrittenAt is when the object was last written, in whole seconds.
	WrittenAt time.Time
}

type s3API interface {
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

var _ s3API = (*s3.Client)(nil)

var (
	// ErrNotFound is the error of an object that does not exist.
	ErrNotFound = errors.New("no such object")
	// ErrDamaged is the error of an object whose compression is broken.
	ErrDamaged = errors.New("damaged")
)

// Bucket is the archive's bucket. It is safe for concurrent use.
type Bucket struct {
	client s3API
	name   string
}

// New returns the bucket of that name. If the client has an endpoint of its own
// that does not accept the bucket in the host name, it must set UsePathStyle.
func New(client s3API, name string) *Bucket { return &Bucket{client: client, name: name} }

// Name returns the bucket's name.
func (b *Bucket) Name() string { return b.name }

// List yields the objects whose keys begin with prefix, in the order of their
// keys. An error is the last element.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for page, err := range b.pages(ctx, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix}) {
			if err != nil {
				yield(Object{}, err)
				return
			}
			for _, o := range page.Contents {
				found := Object{Key: aws.ToString(o.Key), Size: aws.ToInt64(o.Size), WrittenAt: aws.ToTime(o.LastModified).UTC()}
				if !yield(found, nil) {
					return
				}
			}
		}
	}
}

// Folders returns the folders directly below prefix, sorted. Each begins with prefix
// and ends in a slash. prefix ends in a slash, or is empty.
func (b *Bucket) Folders(ctx context.Context, prefix string) ([]string, error) {
	var folders []string
	for page, err := range b.pages(ctx, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix, Delimiter: aws.String("/")}) {
		if err != nil {
			return nil, err
		}
		for _, p := range page.CommonPrefixes {
			folders = append(folders, aws.ToString(p.Prefix))
		}
	}
	slices.Sort(folders)
	return folders, nil
}

func (b *Bucket) pages(ctx context.Context, in *s3.ListObjectsV2Input) iter.Seq2[*s3.ListObjectsV2Output, error] {
	return func(yield func(*s3.ListObjectsV2Output, error) bool) {
		for pages := s3.NewListObjectsV2Paginator(b.client, in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(nil, fmt.Errorf("listing %s in bucket %s: %w", aws.ToString(in.Prefix), b.name, err))
				return
			}
			if !yield(page, nil) {
				return
			}
		}
	}
}

// Open returns an object's bytes as they are stored. The caller closes the reader.
// The error is ErrNotFound if the object does not exist.
func (b *Bucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	return b.open(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key})
}

// Head returns the first n bytes of an object, or all bytes of a shorter object.
func (b *Bucket) Head(ctx context.Context, key string, n int64) ([]byte, error) {
	r, err := b.open(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key, Range: aws.String(fmt.Sprintf("bytes=0-%d", n-1))})
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	head, err := io.ReadAll(io.LimitReader(r, n))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	return head, nil
}

func (b *Bucket) open(ctx context.Context, in *s3.GetObjectInput) (io.ReadCloser, error) {
	out, err := b.client.GetObject(ctx, in)
	var absent *types.NoSuchKey
	if errors.As(err, &absent) {
		return nil, fmt.Errorf("reading %s in bucket %s: %w", *in.Key, b.name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s in bucket %s: %w", *in.Key, b.name, err)
	}
	return out.Body, nil
}

// OpenTee is like Open, and writes the bytes to w while they are read.
func (b *Bucket) OpenTee(ctx context.Context, key string, w io.Writer) (io.ReadCloser, error) {
	opened, err := b.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	return tee{io.TeeReader(opened, w), opened}, nil
}

// OpenPlain opens an object and decompresses it, if its name ends in ".gz" and its
// content begins with a gzip header. The error of broken compression, of OpenPlain
// or of a later Read, is ErrDamaged.
func (b *Bucket) OpenPlain(ctx context.Context, key string) (io.ReadCloser, error) {
	return b.OpenPlainTee(ctx, key, io.Discard)
}

// OpenPlainTee is like OpenPlain, and writes the bytes as they are stored to w while
// they are read.
func (b *Bucket) OpenPlainTee(ctx context.Context, key string, w io.Writer) (io.ReadCloser, error) {
	stored, err := b.OpenTee(ctx, key, w)
	if err != nil || !strings.HasSuffix(key, ".gz") {
		return stored, err
	}
	p := &plain{stored: stored}
	p.buffered = bufio.NewReaderSize(readerFunc(p.readStored), 64<<10)
	if magic, err := p.buffered.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		p.reader = p.buffered // which returns the error of Peek
		return p, nil         // See above.
	}
	if p.reader, err = gzip.NewReader(p.buffered); err != nil {
		return nil, fmt.Errorf("decompressing %s: %w", key, errors.Join(p.damage(err), p.Close()))
	}
	return p, nil
}

// tee reads from one and closes the other.
type tee struct {
	io.Reader
	io.Closer
}

// plain decompresses stored. It keeps errors of reading apart from errors of
// decompression.
type plain struct {
	stored   io.ReadCloser
	storeErr error
	buffered *bufio.Reader
	reader   io.Reader
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func (p *plain) readStored(b []byte) (int, error) {
	n, err := p.stored.Read(b)
	if err != nil && err != io.EOF {
		p.storeErr = err
	}
	return n, err
}

func (p *plain) Read(b []byte) (int, error) {
	n, err := p.reader.Read(b)
	if err != nil && err != io.EOF {
		err = p.damage(err)
	}
	return n, err
}

func (p *plain) damage(err error) error {
	if p.storeErr != nil {
		return p.storeErr
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

func (p *plain) Close() error { return p.stored.Close() }
