// Package secret reads secrets from AWS Secrets Manager.
package secret

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// api is the one call that a Reader makes; *secretsmanager.Client has it.
type api interface {
	GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, options ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Reader reads secrets. It keeps nothing and is safe for concurrent use.
type Reader struct{ client api }

// New returns a Reader on a client.
func New(client api) *Reader { return &Reader{client: client} }

// Get returns the current value of the secret with that ARN or name, be it text
// or binary. Its error names the id and never holds a value.
func (r *Reader) Get(ctx context.Context, id string) ([]byte, error) {
	out, err := r.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading secret %s: %w", id, err)
	case out.SecretString != nil:
		return []byte(*out.SecretString), nil
	case out.SecretBinary != nil:
		return out.SecretBinary, nil
	default:
		return nil, fmt.Errorf("reading secret %s: it has no value", id)
	}
}
