package clients

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// Created is when a password was added to the secret.
type Created struct {
	At time.Time `json:"at"`
	// OrEarlier is set if the oldest version of the secret that can be read has the
	// password already.
	OrEarlier bool `json:"orEarlier,omitempty"`
}

// currentStage is the staging label of the version that the functions read.
const currentStage = "AWSCURRENT"

// Created returns when each password of each client was added, by the client's name and
// in the order of its passwords. It compares the versions of the secret, of which
// Secrets Manager keeps about 100. A file has only one version.
func (s *Store) Created(ctx context.Context, secret *Secret) (map[string][]Created, error) {
	versions, err := s.versions(ctx)
	if err != nil {
		return nil, err
	}
	created := make(map[string][]Created)
	for _, c := range secret.clients {
		created[c.Name] = slices.Repeat([]Created{{OrEarlier: true}}, len(c.Passwords))
	}
	for i, v := range versions {
		older := secret
		if i > 0 {
			if older, err = s.version(ctx, *v.VersionId); err != nil {
				return nil, err
			}
		}
		if !older.date(aws.ToTime(v.CreatedDate), secret, created) {
			break
		}
	}
	return created, nil
}

// date sets the dates of the passwords of a newer secret that s has too, where s is the
// version of that date. It reports whether an older version can have one of them.
func (s *Secret) date(at time.Time, newer *Secret, created map[string][]Created) (more bool) {
	for _, c := range newer.clients {
		old, _ := s.Lookup(c.Name) // An unknown client has no passwords.
		for i, password := range c.Passwords {
			switch was := &created[c.Name][i]; {
			case !was.OrEarlier: // The date is known.
			case slices.Contains(old.Passwords, password):
				was.At, more = at, true
			default:
				was.OrEarlier = false
			}
		}
	}
	return more
}

// versions returns the versions of the secret, the current one first and older ones
// after it.
func (s *Store) versions(ctx context.Context) ([]types.SecretVersionsListEntry, error) {
	var all []types.SecretVersionsListEntry
	pages := secretsmanager.NewListSecretVersionIdsPaginator(s.client, &secretsmanager.ListSecretVersionIdsInput{
		SecretId: &s.id, IncludeDeprecated: aws.Bool(true),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing the versions of the clients' secret: %w", err)
		}
		all = append(all, page.Versions...)
	}
	current := slices.IndexFunc(all, func(v types.SecretVersionsListEntry) bool { return slices.Contains(v.VersionStages, currentStage) })
	if current < 0 {
		return nil, fmt.Errorf("listing the versions of the clients' secret: none is %s", currentStage)
	}
	versions := []types.SecretVersionsListEntry{all[current]}
	for i, v := range all {
		if i != current && !aws.ToTime(v.CreatedDate).After(aws.ToTime(all[current].CreatedDate)) {
			versions = append(versions, v)
		}
	}
	slices.SortStableFunc(versions[1:], func(a, b types.SecretVersionsListEntry) int {
		return aws.ToTime(b.CreatedDate).Compare(aws.ToTime(a.CreatedDate))
	})
	return versions, nil
}

// version returns a version of the secret.
func (s *Store) version(ctx context.Context, id string) (*Secret, error) {
	out, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.id, VersionId: &id})
	if err != nil {
		return nil, fmt.Errorf("reading a version of the clients' secret: %w", err)
	}
	return parse(out)
}
