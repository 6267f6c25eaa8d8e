package function_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/data-sink/data-sink/internal/pipeline/function"
)

type fakeManager func(id string) (*secretsmanager.GetSecretValueOutput, error)

func (f fakeManager) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return f(aws.ToString(in.SecretId))
}

func TestSecret(t *testing.T) {
	t.Parallel()
	denied := errors.New("denied")
	manager := fakeManager(func(id string) (*secretsmanager.GetSecretValueOutput, error) {
		switch id {
		case "text":
			return &secretsmanager.GetSecretValueOutput{SecretString: aws.String("hunter2")}, nil
		case "binary":
			return &secretsmanager.GetSecretValueOutput{SecretBinary: []byte{0, 1}}, nil
		case "none":
			return &secretsmanager.GetSecretValueOutput{}, nil
		}
		return nil, denied
	})
	if function.Secret(manager, "") != nil {
		t.Error("Secret without an id, want nil")
	}
	for id, want := range map[string]string{"text": "hunter2", "binary": "\x00\x01"} {
		if got, err := function.Secret(manager, id)(t.Context()); err != nil || string(got) != want {
			t.Errorf("Secret(%q) = %q, %v, want %q", id, got, err, want)
		}
	}
	if _, err := function.Secret(manager, "arn:other")(t.Context()); !errors.Is(err, denied) || !strings.Contains(err.Error(), "reading secret arn:other: ") {
		t.Errorf("Secret of a secret that is denied = %v, want the cause and the id", err)
	}
	if _, err := function.Secret(manager, "none")(t.Context()); err == nil || !strings.Contains(err.Error(), "secret none: it has no value") {
		t.Errorf("Secret of a secret without a value = %v, want an error with the id", err)
	}
}
