package clients_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/data-sink/data-sink/internal/operate/clients"
	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
	"github.com/google/go-cmp/cmp"
)

// secret is a secret in memory.
type secret struct {
	content string
	version int
	old     []string // the contents of the versions before, from version 0 on
	// meanwhile, if set, is called between two reads.
	meanwhile func()
	puts      int
}

func (s *secret) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	if *in.SecretId != "id" {
		return nil, errors.New("no such secret")
	}
	if id := aws.ToString(in.VersionId); id != "" && id != fmt.Sprint(s.version) {
		n, err := strconv.Atoi(id)
		if err != nil || s.old[n] == "" {
			return nil, errors.New("no such version")
		}
		return &secretsmanager.GetSecretValueOutput{SecretString: &s.old[n], VersionId: &id}, nil
	}
	out := &secretsmanager.GetSecretValueOutput{SecretString: aws.String(s.content), VersionId: aws.String(fmt.Sprint(s.version))}
	if s.meanwhile != nil {
		s.meanwhile()
	}
	return out, nil
}

// ListSecretVersionIds lists the versions that can be read. Version n is of day n+1 of
// the year. Each page has one version.
func (s *secret) ListSecretVersionIds(_ context.Context, in *secretsmanager.ListSecretVersionIdsInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretVersionIdsOutput, error) {
	n := 0
	if in.NextToken != nil {
		n, _ = strconv.Atoi(*in.NextToken) // a token of a page before
	}
	out := &secretsmanager.ListSecretVersionIdsOutput{}
	if n == s.version || aws.ToBool(in.IncludeDeprecated) && s.old[n] != "" {
		v := types.SecretVersionsListEntry{VersionId: aws.String(fmt.Sprint(n)), CreatedDate: aws.Time(day(n))}
		if n == s.version {
			v.VersionStages = []string{"AWSCURRENT"}
		}
		out.Versions = append(out.Versions, v)
	}
	if n < s.version {
		out.NextToken = aws.String(fmt.Sprint(n + 1))
	}
	return out, nil
}

// day returns the date of a version.
func day(n int) time.Time { return time.Date(2026, 1, n+1, 0, 0, 0, 0, time.UTC) }

func (s *secret) PutSecretValue(_ context.Context, in *secretsmanager.PutSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	s.old = append(s.old, s.content)
	s.content, s.version, s.puts = *in.SecretString, s.version+1, s.puts+1
	return &secretsmanager.PutSecretValueOutput{}, nil
}

// accepts reports whether the functions would accept a client's password.
func (s *secret) accepts(t *testing.T, user, password string) (basicauth.Client, bool) {
	t.Helper()
	c, err := basicauth.Parse([]byte(s.content))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, "http://x", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(user, password)
	return c.Check(r.Header.Get("Authorization"))
}

func edit(t *testing.T, s *secret, change func(*clients.Secret) error) {
	t.Helper()
	if err := clients.NewStore(s, "id").Edit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
}

func TestARotationNeverLocksOut(t *testing.T) {
	t.Parallel()
	s := &secret{content: `{"datasink":"old"}`}
	password := clients.Generate()
	edit(t, s, func(c *clients.Secret) error { return c.Rotate("datasink", clients.Hash(password)) })
	for _, p := range []string{"old", password} {
		if _, ok := s.accepts(t, "datasink", p); !ok {
			t.Errorf("after the rotation %q is refused", p)
		}
	}
	if strings.Contains(s.content, password) {
		t.Errorf("the secret has the password: %s", s.content)
	}
	edit(t, s, func(c *clients.Secret) error {
		n, err := c.RevokeOld("datasink")
		if n != 1 {
			t.Errorf("revoked %d passwords, want 1", n)
		}
		return err
	})
	if _, ok := s.accepts(t, "datasink", "old"); ok {
		t.Error("after its revocation the old password is accepted")
	}
	if _, ok := s.accepts(t, "datasink", password); !ok {
		t.Error("the new password is refused")
	}
}

func TestAddAndRevoke(t *testing.T) {
	t.Parallel()
	s := &secret{content: `{"datasink":"old","b":{"passwords":["x","y"],"streams":["s-*"]}}`}
	edit(t, s, func(c *clients.Secret) error { return c.Add("checkout", "secret<&>", []string{"orders", "checkout-*"}) })
	edit(t, s, func(c *clients.Secret) error { return c.Add("all", "plain", []string{}) })
	const want = `{"datasink":"old","b":{"passwords":["x","y"],"streams":["s-*"]},"checkout":{"passwords":["secret<&>"],"streams":["orders","checkout-*"]},"all":"plain"}`
	if diff := cmp.Diff(want, s.content); diff != "" {
		t.Errorf("secret differs (-want +got):\n%s", diff)
	}
	if c, ok := s.accepts(t, "checkout", "secret<&>"); !ok || !c.MayWrite("checkout-eu") || c.MayWrite("other") {
		t.Errorf("checkout is %+v, %v", c, ok)
	}
	edit(t, s, func(c *clients.Secret) error { return c.Revoke("b") })
	if _, ok := s.accepts(t, "b", "x"); ok {
		t.Error("a revoked client is accepted")
	}
	read, err := clients.NewStore(s, "id").Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range read.Clients() {
		names = append(names, c.Name)
	}
	if diff := cmp.Diff([]string{"datasink", "checkout", "all"}, names); diff != "" {
		t.Errorf("clients differ (-want +got):\n%s", diff)
	}
}

func TestEditWritesNothingWrong(t *testing.T) {
	t.Parallel()
	many := make([]string, 2000)
	for i := range many {
		many[i] = fmt.Sprintf("stream-%d-with-quite-a-long-name", i)
	}
	for _, tt := range []struct {
		name   string
		change func(*clients.Secret) error
		want   error
	}{
		{"unknown to rotate", func(c *clients.Secret) error { return c.Rotate("b", "x") }, clients.ErrUnknown},
		{"unknown to revoke", func(c *clients.Secret) error { return c.Revoke("b") }, clients.ErrUnknown},
		{"unknown old ones", func(c *clients.Secret) error { _, err := c.RevokeOld("b"); return err }, clients.ErrUnknown},
		{"taken", func(c *clients.Secret) error { return c.Add("datasink", "x", nil) }, clients.ErrTaken},
		{"a bad name", func(c *clients.Secret) error { return c.Add("a:b", "x", nil) }, nil},
		{"a bad pattern", func(c *clients.Secret) error { return c.Add("b", "x", []string{"Ö"}) }, nil},
		{"the same password", func(c *clients.Secret) error { return c.Rotate("datasink", "old") }, nil},
		{"too large", func(c *clients.Secret) error { return c.Add("b", "x", many) }, nil},
	} {
		s := &secret{content: `{"datasink":"old"}`}
		err := clients.NewStore(s, "id").Edit(t.Context(), tt.change)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) || s.puts != 0 {
			t.Errorf("%s: Edit = %v with %d writes", tt.name, err, s.puts)
		}
		if strings.Contains(fmt.Sprint(err), "old") && !strings.Contains(tt.name, "old") {
			t.Errorf("%s: the error has a password: %v", tt.name, err)
		}
	}
}

func TestEditSeesAnotherEdit(t *testing.T) {
	t.Parallel()
	s := &secret{content: `{"datasink":"old"}`}
	s.meanwhile = func() { s.version++ }
	if err := clients.NewStore(s, "id").Edit(t.Context(), func(c *clients.Secret) error { return c.Revoke("datasink") }); !errors.Is(err, clients.ErrConflict) || s.puts != 0 {
		t.Errorf("Edit = %v with %d writes, want ErrConflict", err, s.puts)
	}
}

func TestPlainReturnsThePasswordsThatCanBeRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		passwords, want []string
	}{
		{[]string{"a", "b", clients.Hash("c")}, []string{"a", "b"}},
		{[]string{clients.Hash("c")}, nil},
	} {
		c := clients.Client{Passwords: tt.passwords}
		if got := c.Plain(); !slices.Equal(got, tt.want) {
			t.Errorf("Plain of %q = %q, want %q", tt.passwords, got, tt.want)
		}
	}
	if a, b := clients.Generate(), clients.Generate(); a == b || len(a) < 26 {
		t.Errorf("Generate = %q and %q, want 128 bits in base 32 and more", a, b)
	}
}
