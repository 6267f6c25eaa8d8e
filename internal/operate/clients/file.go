package clients

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// NewFileStore returns the clients' secret in a file, which the local pipeline uses
// in place of Secrets Manager. Writes replace the file atomically, with mode 0600.
func NewFileStore(path string) *Store { return &Store{client: file{path}, id: path} }

// file is a secret in a file. Its version is the hash of its content.
type file struct{ path string }

var _ api = file{}

// GetSecretValue reads the file.
func (f file) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	content, err := os.ReadFile(f.path)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	return &secretsmanager.GetSecretValueOutput{SecretBinary: content, VersionId: aws.String(hex.EncodeToString(sum[:]))}, nil
}

// ListSecretVersionIds returns one version, whose date is the time of the file.
func (f file) ListSecretVersionIds(context.Context, *secretsmanager.ListSecretVersionIdsInput, ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretVersionIdsOutput, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, err
	}
	return &secretsmanager.ListSecretVersionIdsOutput{Versions: []types.SecretVersionsListEntry{
		{CreatedDate: aws.Time(info.ModTime()), VersionStages: []string{currentStage}},
	}}, nil
}

// PutSecretValue replaces the file.
func (f file) PutSecretValue(_ context.Context, in *secretsmanager.PutSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	if err := WriteFile(f.path, []byte(*in.SecretString)); err != nil {
		return nil, err
	}
	return &secretsmanager.PutSecretValueOutput{}, nil
}

// WriteFile replaces the file of a secret atomically. The file has mode 0600.
func WriteFile(path string, content []byte) error {
	temporary := path + ".new"
	if err := os.Remove(temporary); err != nil && !os.IsNotExist(err) {
		return err
	}
	out, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s\n", content); err != nil {
		_ = out.Close() // The write has failed.
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
