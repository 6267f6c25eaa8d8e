package cloud

import (
	"context"
	"maps"
	"sync"
)

// Secrets is Secrets Manager. It is safe for concurrent use.
type Secrets struct {
	faults *Faults

	mu     sync.Mutex
	values map[string]string
}

// NewSecrets returns the secrets with these values, by id.
func NewSecrets(values map[string]string, faults *Faults) *Secrets {
	return &Secrets{faults: faults, values: maps.Clone(values)}
}

// Set changes the value of an existing secret.
func (s *Secrets) Set(id, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[id] = value
}

// GetSecretValue returns the value of a secret.
func (s *Secrets) GetSecretValue(ctx context.Context, id string) (string, error) {
	return query(ctx, s.faults, Call{Service: ServiceSecrets, Operation: "GetSecretValue", Resource: id}, func() (string, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		value, ok := s.values[id]
		if !ok {
			return "", newError(ResourceNotFound, "no secret %s", id)
		}
		return value, nil
	})
}
