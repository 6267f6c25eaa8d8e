package archive_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/rig/s3test"
	"github.com/google/go-cmp/cmp"
)

// client returns an S3 client with the options of the functions. Only the endpoint
// and the credentials differ.
func client(server *httptest.Server) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, HTTPClient: server.Client(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "key"}, nil
		}),
	})
}

func TestS3PutsPlainObjects(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(http.Handler) *httptest.Server{"http": httptest.NewServer, "https": httptest.NewTLSServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := bytes.Repeat([]byte("body\n"), 300_000)
			var got *http.Request
			var received []byte
			server := start(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got = r
				received, _ = io.ReadAll(r.Body)
			}))
			t.Cleanup(server.Close)
			if err := archive.NewS3(client(server), "bucket").Put(t.Context(), "orders/dt=2026-11-22/hour=23/fallback-1.gz", body); err != nil {
				t.Fatal(err)
			}
			if got.Method != http.MethodPut || got.URL.Path != "/bucket/orders/dt=2026-11-22/hour=23/fallback-1.gz" {
				t.Errorf("request was %s %s", got.Method, got.URL.Path)
			}
			if !bytes.Equal(received, body) || got.ContentLength != int64(len(body)) || got.Header.Get("Content-Encoding") != "" {
				t.Errorf("%d bytes received, Content-Length %d, Content-Encoding %q, want the %d bytes as they are",
					len(received), got.ContentLength, got.Header.Get("Content-Encoding"), len(body))
			}
			want := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
			if sum := got.Header.Get("X-Amz-Checksum-Crc32"); sum != want {
				t.Errorf("checksum = %q, want %q, for the service to check", sum, want)
			}
		})
	}
}

func TestS3RetriesTransientErrors(t *testing.T) {
	t.Parallel()
	calls, received := 0, []byte(nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		received, _ = io.ReadAll(r.Body)
		if calls == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	if err := archive.NewS3(client(server), "bucket").Put(t.Context(), "k", []byte("body")); err != nil || calls != 2 || string(received) != "body" {
		t.Errorf("Put = %v after %d calls, the last with %q, want none after 2 with the body", err, calls, received)
	}
}

func TestS3ErrorsNameTheCauseAndNeverTheBody(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `<Error><Code>AccessDenied</Code><Message>not yours</Message></Error>`)
	}))
	t.Cleanup(server.Close)
	store := archive.NewS3(client(server), "bucket")
	if err := store.Put(t.Context(), "k", []byte("secret")); err == nil || !strings.Contains(err.Error(), "AccessDenied") || strings.Contains(err.Error(), "secret") {
		t.Errorf("Put = %v, want the code and no body", err)
	}
	if err := store.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "bucket") {
		t.Errorf("Check = %v, want an error that names the bucket", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := store.Put(ctx, "k", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Put after the end = %v, want %v", err, context.Canceled)
	}
}

func TestS3AgainstAnotherImplementation(t *testing.T) {
	t.Parallel()
	client := s3test.Start(t, s3test.Options{})
	store := archive.NewS3(client, s3test.Bucket)
	if err := store.Check(t.Context()); err != nil {
		t.Errorf("Check = %v, want none", err)
	}
	if err := archive.NewS3(client, "absent").Check(t.Context()); err == nil {
		t.Error("Check of a bucket that is not there: no error")
	}
	for key, body := range map[string][]byte{
		"a/dt=2026-11-22/hour=23/fallback-1": []byte("first"), "empty": {}, "large": bytes.Repeat([]byte{0, 1, '\r', '\n'}, 1<<18),
	} {
		for _, write := range []func(context.Context, string, []byte) error{store.Put, store.Put, store.Create, store.Create} {
			if err := write(t.Context(), key, body); err != nil {
				t.Fatal(err)
			}
		}
		out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(s3test.Bucket), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(out.Body)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%s: read %d bytes, %v, want the %d that were put", key, len(got), err, len(body))
		}
	}
}

// S3 answers the second of two tries whose first answer was lost with 412 or 409.
func TestS3CreateKeepsAnExistingObject(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		answers []int
		kept    bool
	}{
		{"new", []int{200}, true},
		{"exists", []int{412}, true},
		{"exists after a lost answer", []int{500, 412}, true},
		{"in progress, then stored", []int{409, 412}, true},
		{"in progress, then failed", []int{409, 200}, true},
		{"in progress for long, then stored", []int{409, 409, 409, 412}, true},
		{"in progress for long, then aborted", []int{409, 409, 409, 200}, true},
		{"in progress after a lost answer", []int{500, 409, 409, 412}, true},
		{"refused", []int{403}, false},
		{"in progress, then refused", []int{409, 403}, false},
		{"in progress for long, then refused", []int{409, 409, 403}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var conditions []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(tt.answers[min(len(conditions), len(tt.answers)-1)])
				conditions = append(conditions, r.Header.Get("If-None-Match"))
			}))
			t.Cleanup(server.Close)
			err := archive.NewS3(client(server), "bucket").Create(t.Context(), "k", []byte("body"))
			if (err == nil) != tt.kept {
				t.Errorf("Create = %v, want kept: %v", err, tt.kept)
			}
			if want := slices.Repeat([]string{"*"}, len(tt.answers)); !slices.Equal(conditions, want) {
				t.Errorf("If-None-Match of the requests = %q, want %q", conditions, want)
			}
		})
	}
}

// uploading is an S3 client whose calls find another upload of the key in progress.
type uploading struct {
	*s3.Client
	calls int
}

func (u *uploading) PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	u.calls++
	response := &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusConflict}}
	return nil, &smithyhttp.ResponseError{Response: response, Err: errors.New("ConditionalRequestConflict")}
}

// An upload that is in progress until the end may be aborted, without an object.
func TestS3CreateFailsIfAnotherUploadIsInProgressUntilTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const timeout = 10 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		start := time.Now()
		client := &uploading{}
		err := archive.NewS3(client, "bucket").Create(ctx, "k", []byte("body"))
		if err == nil || !strings.Contains(err.Error(), "ConditionalRequestConflict") {
			t.Errorf("Create = %v, want the conflict", err)
		}
		if took := time.Since(start); took != timeout {
			t.Errorf("Create gave up after %v, want %v", took, timeout)
		}
		if client.calls < 10 || client.calls > 100 {
			t.Errorf("%d calls in %v, want 10 to 100", client.calls, timeout)
		}
	})
}

func TestS3PutHasNoCondition(t *testing.T) {
	t.Parallel()
	var header http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { header = r.Header }))
	t.Cleanup(server.Close)
	if err := archive.NewS3(client(server), "bucket").Put(t.Context(), "k", nil); err != nil {
		t.Fatal(err)
	}
	if got := header.Get("If-None-Match"); got != "" {
		t.Errorf("If-None-Match = %q, want none", got)
	}
}

// bodies records whether the bodies of requests have a WriteTo method.
type bodies struct{ writeTo []bool }

func (b *bodies) Do(r *http.Request) (*http.Response, error) {
	_, ok := r.Body.(io.WriterTo)
	b.writeTo = append(b.writeTo, ok)
	return nil, io.ErrClosedPipe
}

// net/http would close the connection if WriteTo were called when the SDK has closed
// the body; see plainReader.
func TestTheBodyOfS3HasNoWriteTo(t *testing.T) {
	t.Parallel()
	var sent bodies
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	store := archive.NewS3(s3.New(client(server).Options(), func(o *s3.Options) {
		o.HTTPClient, o.Retryer = &sent, aws.NopRetryer{}
	}), "bucket")
	for _, put := range []func(context.Context, string, []byte) error{store.Put, store.Create} {
		if err := put(t.Context(), "key", []byte("body")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("put = %v, want the error of the client", err)
		}
	}
	if diff := cmp.Diff([]bool{false, false}, sent.writeTo); diff != "" {
		t.Errorf("bodies with WriteTo (-want +got):\n%s", diff)
	}
}
