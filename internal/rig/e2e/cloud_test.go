//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// cloud has clients of the emulator with an operator's access.
type cloud struct {
	config         aws.Config
	endpoint       string
	http           *http.Client
	cloudformation *cloudformation.Client
	lambda         *lambda.Client
	s3             *s3.Client
	secrets        *secretsmanager.Client
	sqs            *sqs.Client
}

func newCloud(e *emulator) *cloud {
	c := aws.Config{
		Region: region, BaseEndpoint: &e.endpoint, HTTPClient: e.http,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	}
	return &cloud{
		config: c, endpoint: e.endpoint, http: e.http,
		cloudformation: cloudformation.NewFromConfig(c),
		lambda:         lambda.NewFromConfig(c),
		s3:             s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true }),
		secrets:        secretsmanager.NewFromConfig(c),
		sqs:            sqs.NewFromConfig(c),
	}
}

// secret returns the value of a secret.
func (c *cloud) secret(tb testing.TB, id string) string {
	tb.Helper()
	out, err := c.secrets.GetSecretValue(tb.Context(), &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		tb.Fatal(err)
	}
	return *out.SecretString
}

// newSecret creates a secret and returns its ARN.
func (c *cloud) newSecret(tb testing.TB, name, value string) string {
	tb.Helper()
	out, err := c.secrets.CreateSecret(tb.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value})
	if err != nil {
		tb.Fatal(err)
	}
	return *out.ARN
}

// json calls an operation of a service for which the module has no SDK client.
func (c *cloud) json(tb testing.TB, service, target string, in, out any) {
	tb.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		tb.Fatal(err)
	}
	header := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {target}}
	if err := json.Unmarshal(c.call(tb, service, header, body), out); err != nil {
		tb.Fatalf("%s: %v", target, err)
	}
}

// call makes a signed call to a service and returns the body of the response.
func (c *cloud) call(tb testing.TB, service string, header http.Header, body []byte) []byte {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, c.endpoint+"/", bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	request.Header = header
	credentials, err := c.config.Credentials.Retrieve(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	hash := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(tb.Context(), credentials, request, hex.EncodeToString(hash[:]), service, region, time.Now()); err != nil {
		tb.Fatal(err)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		tb.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		tb.Fatalf("%s: %s: %s", service, answer.Status, content)
	}
	return content
}
