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
func (s *Secrets) GetSecretValue(ctx context.Context, id string) (value string, err error) {
	err = s.faults.call(ctx, Call{Service: ServiceSecrets, Operation: "GetSecretValue", Resource: id}, func(func() bool) (int, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		var ok bool
		if value, ok = s.values[id]; !ok {
			return 0, newError(ResourceNotFound, "no secret %s", id)
		}
		return 0, nil
	})
	return value, err
}
