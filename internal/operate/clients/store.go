package clients

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// ErrConflict is returned if the secret changed during an edit.
var ErrConflict = errors.New("the clients' secret was changed at the same time: try again")

type api interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	ListSecretVersionIds(context.Context, *secretsmanager.ListSecretVersionIdsInput, ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretVersionIdsOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
}

var _ api = (*secretsmanager.Client)(nil)

// Store is the clients' secret in Secrets Manager.
type Store struct {
	client api
	id     string
}

// NewStore returns the secret with the given ARN or name.
func NewStore(client api, id string) *Store { return &Store{client: client, id: id} }

// Read returns the current secret.
func (s *Store) Read(ctx context.Context) (*Secret, error) {
	secret, _, err := s.read(ctx)
	return secret, err
}

func (s *Store) read(ctx context.Context) (secret *Secret, version string, err error) {
	out, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.id})
	if err != nil {
		return nil, "", fmt.Errorf("reading the clients' secret: %w", err)
	}
	secret, err = parse(out)
	return secret, aws.ToString(out.VersionId), err
}

// parse parses a version of the secret.
func parse(out *secretsmanager.GetSecretValueOutput) (*Secret, error) {
	if out.SecretString != nil {
		return Parse([]byte(*out.SecretString))
	}
	return Parse(out.SecretBinary)
}

// Edit reads the secret, calls change and writes the result. It writes nothing if
// change fails, or if another edit happened meanwhile (ErrConflict). Secrets Manager
// has no conditional write, so an edit can be lost if two happen at the same moment.
func (s *Store) Edit(ctx context.Context, change func(*Secret) error) error {
	secret, version, err := s.read(ctx)
	if err != nil {
		return err
	}
	if err := change(secret); err != nil {
		return err
	}
	content, err := secret.Encode()
	if err != nil {
		return err
	}
	if _, now, err := s.read(ctx); err != nil {
		return err
	} else if now != version {
		return ErrConflict
	}
	// The write ignores an interrupt, so that its outcome is known.
	_, err = s.client.PutSecretValue(context.WithoutCancel(ctx), &secretsmanager.PutSecretValueInput{
		SecretId: &s.id, SecretString: aws.String(string(content)),
	})
	if err != nil {
		return fmt.Errorf("writing the clients' secret: %w", err)
	}
	return nil
}
