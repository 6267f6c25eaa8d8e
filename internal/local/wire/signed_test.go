package wire_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/local/wire"
	"github.com/data-sink/data-sink/internal/rig/apitest"
	"github.com/data-sink/data-sink/internal/rig/awstest"
)

// signedServer serves a bucket and Kinesis to the access key "key".
func signedServer(t *testing.T) string {
	t.Helper()
	return awstest.StartForTest(t, awstest.Options{
		Dir: t.TempDir(), Buckets: []string{*bucket}, Wrap: func(services http.Handler) http.Handler { return wire.Signed("key", "secret", services) },
	}).URL
}

func TestSignedServesItsAccessKeyOnly(t *testing.T) {
	t.Parallel()
	url := signedServer(t)
	for _, tt := range []struct {
		key, secret string
		refused     bool
	}{
		{"key", "secret", false},
		{"key", "wrong", true},
		{"other", "secret", true},
	} {
		config := aws.Config{
			Region: "eu-west-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider(tt.key, tt.secret, ""),
			Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		}
		client := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
		for _, key := range []string{"a", "a b+c/ü"} {
			_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader("x")})
			if got := code(err) == "AccessDenied"; got != tt.refused {
				t.Errorf("PutObject(%q) by %s/%s: %v, want refused %v", key, tt.key, tt.secret, err, tt.refused)
			}
		}
		_, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket, Prefix: aws.String("a b"), Delimiter: aws.String("/")})
		if got := code(err) == "AccessDenied"; got != tt.refused {
			t.Errorf("ListObjectsV2 by %s/%s: %v, want refused %v", tt.key, tt.secret, err, tt.refused)
		}
		_, err = kinesis.NewFromConfig(config).ListStreams(t.Context(), &kinesis.ListStreamsInput{})
		if got := code(err) == "AccessDeniedException"; got != tt.refused {
			t.Errorf("ListStreams by %s/%s: %v, want refused %v", tt.key, tt.secret, err, tt.refused)
		}
		signed, err := s3.NewPresignClient(client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String("a b+c/ü")})
		if err != nil {
			t.Fatal(err)
		}
		want := http.StatusOK
		if tt.refused {
			want = http.StatusForbidden
		}
		if status, _, text := send(t, "GET", signed.URL, nil); status != want {
			t.Errorf("presigned GET by %s/%s = %d %s, want %d", tt.key, tt.secret, status, text, want)
		}
		if status, _, _ := send(t, "GET", signed.URL+"&versionId=1", nil); status != http.StatusForbidden {
			t.Errorf("presigned GET with another query = %d, want 403", status)
		}
	}
	if status, _, text := send(t, "GET", url+"/archive", nil); status != 403 || s3Code(t, text) != "AccessDenied" {
		t.Errorf("unsigned listing = %d %s, want 403", status, text)
	}
}

// A signature allows only the request that was signed.
func TestSignedRefusesWhatTheSignatureDoesNotCover(t *testing.T) {
	t.Parallel()
	url := signedServer(t)
	const object, source, target = "/archive/a", "/archive/secret", "Kinesis_20131202.ListStreams"
	if status := sendSigned(t, signedRequest{url: url + source, method: "PUT", service: "s3"}); status != 200 {
		t.Fatalf("PUT of the source = %d", status)
	}
	for name, tt := range map[string]struct {
		r    signedRequest
		want int
	}{
		"an object":                     {signedRequest{method: "PUT", service: "s3"}, 200},
		"an object by a link":           {signedRequest{method: "PUT", service: "s3", presigned: true}, 200},
		"a signed copy":                 {signedRequest{method: "PUT", service: "s3", name: "X-Amz-Copy-Source", value: source}, 200},
		"an unsigned copy":              {signedRequest{method: "PUT", service: "s3", name: "X-Amz-Copy-Source", value: source, later: true}, 403},
		"an unsigned copy by a link":    {signedRequest{method: "PUT", service: "s3", name: "X-Amz-Copy-Source", value: source, later: true, presigned: true}, 403},
		"a call":                        {signedRequest{method: "POST", service: "kinesis", name: "X-Amz-Target", value: target}, 200},
		"a call by GET":                 {signedRequest{method: "GET", service: "kinesis", name: "X-Amz-Target", value: target}, 400},
		"an unsigned call":              {signedRequest{method: "POST", service: "kinesis", name: "X-Amz-Target", value: target, later: true}, 403},
		"a call by a link":              {signedRequest{method: "POST", service: "kinesis", name: "X-Amz-Target", value: target, presigned: true}, 403},
		"a call signed for S3":          {signedRequest{method: "POST", service: "s3", name: "X-Amz-Target", value: target}, 403},
		"a call by a link to an object": {signedRequest{method: "GET", service: "s3", name: "X-Amz-Target", value: target, later: true, presigned: true}, 403},
		"an object signed for Kinesis":  {signedRequest{method: "PUT", service: "kinesis"}, 403},
	} {
		tt.r.url = url + object
		if status := sendSigned(t, tt.r); status != tt.want {
			t.Errorf("%s = %d, want %d", name, status, tt.want)
		}
	}
}

// signedRequest is a request with at most one header, which is added before it is
// signed, or later.
type signedRequest struct {
	url, method, service string
	name, value          string
	later, presigned     bool
}

// sendSigned signs a request, sends it and returns the status.
func sendSigned(t *testing.T, s signedRequest) int {
	t.Helper()
	const body = "{}"
	r := apitest.Request(t, s.method, s.url, "", strings.NewReader(body))
	if s.name != "" && !s.later {
		r.Header.Set(s.name, s.value)
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableHeaderHoisting = true })
	key := aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}
	if s.presigned {
		q := r.URL.Query()
		q.Set("X-Amz-Expires", "60")
		r.URL.RawQuery = q.Encode()
		link, _, err := signer.PresignHTTP(t.Context(), key, r, "UNSIGNED-PAYLOAD", s.service, "eu-west-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if r.URL, err = r.URL.Parse(link); err != nil {
			t.Fatal(err)
		}
	} else {
		sum := sha256.Sum256([]byte(body))
		hash := hex.EncodeToString(sum[:])
		r.Header.Set("X-Amz-Content-Sha256", hash)
		if err := signer.SignHTTP(t.Context(), key, r, hash, s.service, "eu-west-1", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if s.later {
		r.Header.Set(s.name, s.value)
	}
	status, _, _ := apitest.Do(t, http.DefaultClient, r)
	return status
}
