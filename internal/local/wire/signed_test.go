package wire_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/local/wire"
)

// signedServer serves a bucket and a stream to the access key "key".
func signedServer(t *testing.T) string {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b, err := cloud.OpenBucket(*bucket, root, "archive", nil)
	if err != nil {
		t.Fatal(err)
	}
	k, err := cloud.OpenKinesis(cloud.KinesisOptions{Dir: root, Streams: map[string]cloud.StreamOptions{"s": {Shards: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(wire.Signed("key", "secret", wire.New(wire.Services{Buckets: []*cloud.Bucket{b}, Kinesis: k})))
	t.Cleanup(server.Close)
	return server.URL
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
