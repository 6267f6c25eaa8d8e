package wire_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/data-sink/data-sink/internal/rig/apitest"
	"github.com/data-sink/data-sink/internal/rig/s3test"
	"github.com/google/go-cmp/cmp"
)

// send sends a request with headers given as pairs.
func send(t *testing.T, method, url string, body io.Reader, headers ...string) (status int, header http.Header, text string) {
	t.Helper()
	r := apitest.Request(t, method, url, "", body)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return apitest.Do(t, http.DefaultClient, r)
}

// s3Code is the code of an error in XML.
func s3Code(t *testing.T, body string) string {
	t.Helper()
	if body == "" {
		return ""
	}
	var e struct{ Code string }
	if err := xml.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("error %q: %v", body, err)
	}
	return e.Code
}

func TestS3GetAndHeadCarryWhatClientsNeed(t *testing.T) {
	t.Parallel()
	b, _, url := serveBucket(t)
	before := time.Now().Add(-time.Second)
	if err := b.Put(t.Context(), "orders/x", []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	var etags []string
	for _, method := range []string{"GET", "HEAD"} {
		status, header, _ := send(t, method, url+"/archive/orders/x", nil)
		if status != 200 {
			t.Errorf("%s = %d, want 200", method, status)
		}
		if at, err := http.ParseTime(header.Get("Last-Modified")); err != nil || at.Before(before.Truncate(time.Second)) {
			t.Errorf("%s: Last-Modified %q, want the time of the write", method, header.Get("Last-Modified"))
		}
		for name, want := range map[string]string{"Content-Type": "application/octet-stream", "Content-Length": "10", "Accept-Ranges": "bytes"} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %s %q, want %q", method, name, got, want)
			}
		}
		etags = append(etags, header.Get("ETag"))
	}
	if etags[0] != etags[1] || len(etags[0]) < 4 || etags[0][0] != '"' {
		t.Errorf("ETags %q, want the same quoted one twice", etags)
	}
}

func TestS3RangesAndConditions(t *testing.T) {
	t.Parallel()
	b, _, url := serveBucket(t)
	if err := b.Put(t.Context(), "x", []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "empty", nil); err != nil {
		t.Fatal(err)
	}
	_, header, _ := send(t, "HEAD", url+"/archive/x", nil)
	etag, modified := header.Get("ETag"), header.Get("Last-Modified")
	at, err := http.ParseTime(modified)
	if err != nil {
		t.Fatal(err)
	}
	later, earlier := at.Add(time.Hour).Format(http.TimeFormat), at.Add(-time.Hour).Format(http.TimeFormat)
	for _, tt := range []struct {
		name, key, header, value string
		status                   int
		body, code, contentRange string
	}{
		{name: "first bytes", header: "Range", value: "bytes=0-3", status: 206, body: "0123", contentRange: "bytes 0-3/10"},
		{name: "from a byte on", header: "Range", value: "bytes=7-", status: 206, body: "789", contentRange: "bytes 7-9/10"},
		{name: "last bytes", header: "Range", value: "bytes=-2", status: 206, body: "89", contentRange: "bytes 8-9/10"},
		{name: "more than there are", header: "Range", value: "bytes=5-99", status: 206, body: "56789", contentRange: "bytes 5-9/10"},
		{name: "beyond the end", header: "Range", value: "bytes=10-", status: 416, code: "InvalidRange"},
		{name: "of an empty object", key: "empty", header: "Range", value: "bytes=0-", status: 416, code: "InvalidRange"},
		{name: "malformed", header: "Range", value: "bytes=3-1", status: 200, body: "0123456789"},
		{name: "two ranges", header: "Range", value: "bytes=0-1,3-4", status: 200, body: "0123456789"},
		{name: "If-Match", header: "If-Match", value: etag, status: 200, body: "0123456789"},
		{name: "another If-Match", header: "If-Match", value: `"x"`, status: 412, code: "PreconditionFailed"},
		{name: "If-None-Match", header: "If-None-Match", value: etag, status: 304},
		{name: "another If-None-Match", header: "If-None-Match", value: `"x"`, status: 200, body: "0123456789"},
		{name: "If-Modified-Since", header: "If-Modified-Since", value: later, status: 304},
		{name: "modified since", header: "If-Modified-Since", value: earlier, status: 200, body: "0123456789"},
		{name: "If-Unmodified-Since", header: "If-Unmodified-Since", value: earlier, status: 412, code: "PreconditionFailed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			key := tt.key
			if key == "" {
				key = "x"
			}
			status, header, body := send(t, "GET", url+"/archive/"+key, nil, tt.header, tt.value)
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			if status >= 400 {
				if code := s3Code(t, body); code != tt.code {
					t.Errorf("code %q, want %q", code, tt.code)
				}
			} else if body != tt.body {
				t.Errorf("body %q, want %q", body, tt.body)
			}
			if got := header.Get("Content-Range"); got != tt.contentRange {
				t.Errorf("Content-Range %q, want %q", got, tt.contentRange)
			}
		})
	}
}

func TestS3AnswersWithItsOwnErrors(t *testing.T) {
	t.Parallel()
	bucket, root, url := serveBucket(t)
	if err := bucket.Put(t.Context(), "folder/object", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 300)
	for _, tt := range []struct {
		method, path string
		status       int
		code         string
	}{
		// A client would repeat a request that got a 500.
		{"PUT", "/archive/folder", 400, "InvalidArgument"},
		{"PUT", "/archive/folder/object/x", 400, "InvalidArgument"},
		{"PUT", "/archive/" + long, 400, "InvalidArgument"},
		{"PUT", "/archive/" + long + "/x", 400, "InvalidArgument"},
		{"PUT", "/archive/link/x", 400, "InvalidArgument"},
		{"GET", "/archive/" + long, 404, "NoSuchKey"},
		{"GET", "/archive/folder/object/x", 404, "NoSuchKey"},
		{"GET", "/archive/link", 404, "NoSuchKey"},
		{"GET", "/archive/link/x", 404, "NoSuchKey"},
		{"DELETE", "/archive/link/x", 204, ""},
		{"GET", "/archive?list-type=2&prefix=link/", 200, ""},
		{"GET", "/archive?list-type=2&prefix=" + long + "/", 200, ""},
		{"GET", "/archive/none", 404, "NoSuchKey"},
		{"HEAD", "/archive/none", 404, ""},
		{"GET", "/archive/%2e%2e/lock", 404, "NoSuchKey"},
		{"GET", "/other/x", 404, "NoSuchBucket"},
		{"PUT", "/other/x", 404, "NoSuchBucket"},
		{"PUT", "/archive", 409, "BucketAlreadyOwnedByYou"},
		{"DELETE", "/archive", 403, "AccessDenied"},
		{"GET", "/archive/x?acl", 501, "NotImplemented"},
		{"GET", "/archive/x?response-content-type=text/html", 400, "InvalidRequest"},
		{"POST", "/archive", 501, "NotImplemented"}, // the form of a web page
		{"POST", "/archive/x?uploadId=1", 400, "MalformedXML"},
		{"PUT", "/archive/x?uploadId=1&partNumber=1", 404, "NoSuchUpload"},
		{"GET", "/archive?list-type=2&max-keys=-1", 400, "InvalidArgument"},
		{"GET", "/archive?list-type=2&continuation-token=%21", 400, "InvalidArgument"},
		{"GET", "/archive?list-type=2&encoding-type=none", 400, "InvalidArgument"},
		{"PUT", "/archive?versioning", 501, "NotImplemented"},
		{"GET", "/archive/folder/object?versionId=1", 400, "InvalidArgument"},
		{"DELETE", "/archive/folder/object?versionId=1", 400, "InvalidArgument"},
		{"HEAD", "/archive/folder/object?versionId=null", 200, ""},
		{"DELETE", "/archive/none", 204, ""},
		{"GET", "/", 200, ""},
		{"HEAD", "/archive", 200, ""},
		{"GET", "/archive?location", 200, ""},
	} {
		status, header, body := send(t, tt.method, url+tt.path, nil)
		if status != tt.status {
			t.Errorf("%s %s = %d, want %d", tt.method, tt.path, status, tt.status)
		}
		if got := s3Code(t, body); got != tt.code {
			t.Errorf("%s %s: code %q, want %q", tt.method, tt.path, got, tt.code)
		}
		if header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %s has CORS headers", tt.method, tt.path)
		}
	}
}

func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

func TestS3ConditionalWrites(t *testing.T) {
	t.Parallel()
	_, _, client := serveS3(t)
	write := func(body string, change func(*s3.PutObjectInput)) (*s3.PutObjectOutput, error) {
		in := &s3.PutObjectInput{Bucket: bucket, Key: aws.String("x"), Body: strings.NewReader(body)}
		change(in)
		return client.PutObject(t.Context(), in)
	}
	if _, err := write("1", func(in *s3.PutObjectInput) { in.IfMatch = aws.String(`"x"`) }); code(err) != "NoSuchKey" {
		t.Errorf("If-Match without an object: %v, want NoSuchKey", err)
	}
	first, err := write("1", func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := write("2", func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }); code(err) != "PreconditionFailed" {
		t.Errorf("a second If-None-Match: %v, want PreconditionFailed", err)
	}
	if _, err := write("3", func(in *s3.PutObjectInput) { in.IfMatch = first.ETag }); err != nil {
		t.Errorf("If-Match with the ETag: %v", err)
	}
	if _, err := write("4", func(in *s3.PutObjectInput) { in.IfMatch = first.ETag }); code(err) != "PreconditionFailed" {
		t.Errorf("If-Match with an old ETag: %v, want PreconditionFailed", err)
	}
}

func TestS3MultipartUploads(t *testing.T) {
	t.Parallel()
	b, root, client := serveS3(t)
	create := func() *string {
		out, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String("big")})
		if err != nil {
			t.Fatal(err)
		}
		return out.UploadId
	}
	id := create()
	var parts []types.CompletedPart
	var want string
	for i, letter := range []string{"a", "b", "c"} {
		body := strings.Repeat(letter, 5<<20)
		want += body
		number := aws.Int32(int32(i + 1))
		out, err := client.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: bucket, Key: aws.String("big"), UploadId: id, PartNumber: number, Body: strings.NewReader(body)})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, types.CompletedPart{ETag: out.ETag, PartNumber: number})
	}
	complete := func(id *string, parts []types.CompletedPart) error {
		_, err := client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
			Bucket: bucket, Key: aws.String("big"), UploadId: id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
		return err
	}
	for want, list := range map[string][]types.CompletedPart{
		"InvalidPartOrder": {parts[1], parts[0]},
		"InvalidPart":      {parts[0], {ETag: parts[0].ETag, PartNumber: aws.Int32(4)}},
	} {
		if err := complete(id, list); code(err) != want {
			t.Errorf("completing %+v: %v, want %s", list, err, want)
		}
	}
	if err := complete(id, []types.CompletedPart{parts[0], parts[0]}); code(err) != "InvalidPartOrder" {
		t.Errorf("completing a part twice: %v, want InvalidPartOrder", err)
	}
	if err := complete(id, parts); err != nil {
		t.Fatal(err)
	}
	if got := s3test.Objects(t, root)["big"]; got != want {
		t.Errorf("object of %d bytes, want the %d bytes of the parts", len(got), len(want))
	}
	if err := complete(id, parts); code(err) != "NoSuchUpload" {
		t.Errorf("completing twice: %v, want NoSuchUpload", err)
	}
	aborted := create()
	if _, err := client.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: bucket, Key: aws.String("big"), UploadId: aborted}); err != nil {
		t.Fatal(err)
	}
	for range 32 {
		create()
	}
	if _, err := b.CreateUpload(t.Context(), "one more"); code(err) != "" || err == nil {
		t.Errorf("a 33rd upload: %v, want an error", err)
	}
}

func TestS3CopiesAndDeletesMany(t *testing.T) {
	t.Parallel()
	b, root, client := serveS3(t)
	for _, key := range []string{"a", "b c", "d"} {
		if err := b.Put(t.Context(), key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("copy"), CopySource: aws.String("archive/b%20c")}); err != nil {
		t.Fatal(err)
	}
	out, err := client.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("a")}, {Key: aws.String("b c")}, {Key: aws.String("none")}, {Key: aws.String("../lock")},
	}}})
	if err != nil || len(out.Errors) > 0 || len(out.Deleted) != 4 {
		t.Errorf("DeleteObjects = %+v, %v, want 4 deleted", out, err)
	}
	out, err = client.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("d"), VersionId: aws.String("1")},
	}}})
	if err != nil || len(out.Errors) != 1 || *out.Errors[0].Code != "InvalidArgument" {
		t.Errorf("DeleteObjects of a version = %+v, %v, want InvalidArgument", out, err)
	}
	if diff := cmp.Diff(map[string]string{"copy": "b c", "d": "d"}, s3test.Objects(t, root)); diff != "" {
		t.Errorf("objects differ (-want +got):\n%s", diff)
	}
}

// Bodies arrive in the format aws-chunked, with checksums that are checked.
func TestS3ChunkedBodies(t *testing.T) {
	t.Parallel()
	_, root, url := serveBucket(t)
	const header, kind = "X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	for _, tt := range []struct {
		name, body, sum, length string
		status                  int
		code                    string
	}{
		{name: "right", body: "5\r\nhello\r\n6\r\n world\r\n0\r\n", sum: "DUoRhQ==", length: "11", status: 200},
		{name: "wrong checksum", body: "5\r\nhello\r\n6\r\n world\r\n0\r\n", sum: "AAAAAA==", length: "11", status: 400, code: "BadDigest"},
		{name: "wrong length", body: "5\r\nhello\r\n0\r\n", sum: "NhCmhg==", length: "11", status: 400, code: "IncompleteBody"},
		{name: "cut off", body: "5\r\nhel", sum: "", length: "5", status: 400, code: "IncompleteBody"},
		{name: "malformed", body: "x\r\nhello", sum: "", length: "5", status: 400, code: "InvalidRequest"},
		{name: "endless line", body: strings.Repeat("0", 1<<20), sum: "", length: "5", status: 400, code: "InvalidRequest"},
		{name: "malformed trailer", body: "5\r\nhello\r\n0\r\nno checksum\r\n\r\n", sum: "", length: "5", status: 400, code: "MalformedTrailerError"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := tt.body
			if tt.sum != "" {
				body += "x-amz-checksum-crc32:" + tt.sum + "\r\n\r\n"
			}
			status, _, text := send(t, "PUT", url+"/archive/"+strings.ReplaceAll(tt.name, " ", "-"), strings.NewReader(body),
				header, kind, "X-Amz-Decoded-Content-Length", tt.length, "X-Amz-Trailer", "x-amz-checksum-crc32")
			if status != tt.status {
				t.Errorf("status %d %s, want %d", status, text, tt.status)
			}
			if got := s3Code(t, text); got != tt.code {
				t.Errorf("code %q, want %q", got, tt.code)
			}
		})
	}
	if diff := cmp.Diff(map[string]string{"right": "hello world"}, s3test.Objects(t, root)); diff != "" {
		t.Errorf("objects differ (-want +got):\n%s", diff)
	}
}

// A client that signs the payload and sends another one is refused.
func TestS3ChecksTheSignedPayload(t *testing.T) {
	t.Parallel()
	_, root, url := serveBucket(t)
	sum := strings.Repeat("0", 64)
	status, _, text := send(t, "PUT", url+"/archive/x", bytes.NewReader([]byte("body")), "X-Amz-Content-Sha256", sum)
	if status != 400 || s3Code(t, text) != "XAmzContentSHA256Mismatch" {
		t.Errorf("status %d %s, want 400 XAmzContentSHA256Mismatch", status, text)
	}
	if got := s3test.Objects(t, root); len(got) > 0 {
		t.Errorf("objects %v, want none", got)
	}
}

// Keys with special characters survive a listing in encoding-type=url.
func TestS3ListsKeysInURLEncoding(t *testing.T) {
	t.Parallel()
	b, _, url := serveBucket(t)
	if err := b.Put(t.Context(), "a b/ü+%&<x", nil); err != nil {
		t.Fatal(err)
	}
	_, _, body := send(t, "GET", url+"/archive?list-type=2&encoding-type=url", nil)
	if want := "<Key>a%20b/%C3%BC%2B%25%26%3Cx</Key>"; !strings.Contains(body, want) {
		t.Errorf("listing %s, want %s", body, want)
	}
}
