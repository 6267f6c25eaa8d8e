package function

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// secretsManager is implemented by *secretsmanager.Client.
type secretsManager interface {
	GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, options ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Secret returns a function that reads the current value, text or binary, of the
// secret with an ARN or name. It returns nil if id is empty. The function does not
// cache the value and is safe for concurrent use. Its error names the id and never
// contains a value.
func Secret(client secretsManager, id string) func(ctx context.Context) ([]byte, error) {
	if id == "" {
		return nil
	}
	return func(ctx context.Context) ([]byte, error) {
		out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
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
}
