//go:build e2e

package e2e_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
)

// bucket is the deployed archive.
type bucket struct {
	s3   *s3.Client
	name string
	// read caches the objects: every key of the archive is written once.
	read map[string][]byte
	// accepted are the bodies that were answered with 202, by stream.
	accepted map[string][]accepted
}

// accepted is a body that the archive must contain.
type accepted struct {
	framed []byte
	// reason of a direct record; empty for a record that goes through the tap
	reason archive.Reason
}

// accept records that a body, framed in its stream's format, was answered with 202.
func (b *bucket) accept(stream string, framed []byte, reason archive.Reason) {
	b.accepted[stream] = append(b.accepted[stream], accepted{framed, reason})
}

// objects returns all objects under a prefix.
func (b *bucket) objects(tb testing.TB, prefix string) map[string][]byte {
	tb.Helper()
	objects := make(map[string][]byte)
	pages := s3.NewListObjectsV2Paginator(b.s3, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		for _, o := range page.Contents {
			if _, ok := b.read[*o.Key]; !ok {
				b.read[*o.Key] = b.get(tb, *o.Key)
			}
			objects[*o.Key] = b.read[*o.Key]
		}
	}
	return objects
}

func (b *bucket) get(tb testing.TB, key string) []byte {
	tb.Helper()
	o, err := b.s3.GetObject(tb.Context(), &s3.GetObjectInput{Bucket: &b.name, Key: aws.String(key)})
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = o.Body.Close() }()
	content, err := io.ReadAll(o.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return content
}

// awaitAll waits until the archive of every stream contains exactly what was
// accepted.
func (b *bucket) awaitAll(tb testing.TB, limit time.Duration) {
	tb.Helper()
	b.await(tb, limit, slices.Collect(maps.Keys(b.accepted))...)
}

// await waits until the archive of each stream contains exactly what was accepted.
func (b *bucket) await(tb testing.TB, limit time.Duration, streams ...string) {
	tb.Helper()
	for _, stream := range streams {
		await(tb, limit, "the archive of "+stream, func() error { return b.check(tb, stream) })
	}
}

// check returns an error if the archive of a stream differs from what was accepted.
// Its objects must consist of accepted bodies, each of them once, in any order.
func (b *bucket) check(tb testing.TB, stream string) error {
	tb.Helper()
	found := make([]int, len(b.accepted[stream]))
	var problems []error
	for key, object := range b.objects(tb, stream+"/dt=") {
		reason, content, err := unpacked(key, object)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if rest := take(content, reason, b.accepted[stream], found); len(rest) > 0 {
			problems = append(problems, fmt.Errorf("%s contains bytes that were not sent: %.80q", key, rest))
		}
	}
	for i, n := range found {
		if n != 1 {
			problems = append(problems, fmt.Errorf("found %d times instead of once: %.60q", n, b.accepted[stream][i].framed))
		}
	}
	return errors.Join(problems...)
}

// unpacked decompresses an object and returns the reason of a direct record. The
// emulator's Firehose does not compress.
func unpacked(key string, object []byte) (archive.Reason, []byte, error) {
	name, _, _ := strings.Cut(path.Base(key), "-")
	reason := archive.Reason(name)
	if reason != archive.Oversize && reason != archive.Fallback && reason != archive.Overflow {
		return "", object, nil
	}
	if !strings.HasSuffix(key, ".gz") {
		return reason, object, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(object))
	if err != nil {
		return reason, nil, err
	}
	content, err := io.ReadAll(r)
	return reason, content, err
}

// take removes bodies with a reason from the front of content, as long as there is
// one, and counts them. It returns the rest of content.
func take(content []byte, reason archive.Reason, bodies []accepted, found []int) []byte {
	for len(content) > 0 {
		longest := -1
		for i, body := range bodies {
			if body.reason == reason && bytes.HasPrefix(content, body.framed) && (longest < 0 || len(body.framed) > len(bodies[longest].framed)) {
				longest = i
			}
		}
		if longest < 0 {
			return content
		}
		found[longest]++
		content = content[len(bodies[longest].framed):]
	}
	return nil
}

// deadLetters returns the dead letters of a stream that a stage wrote.
func (b *bucket) deadLetters(tb testing.TB, stage, stream string) []archive.DeadLetter {
	tb.Helper()
	var all []archive.DeadLetter
	for key, object := range b.objects(tb, archive.DeadLetterPrefix(stage, stream)) {
		err := archive.ReadDeadLetters(bytes.NewReader(object), func(a archive.DeadLetter) error {
			all = append(all, a)
			return nil
		})
		if err != nil {
			tb.Fatalf("%s: %v", key, err)
		}
	}
	return all
}
