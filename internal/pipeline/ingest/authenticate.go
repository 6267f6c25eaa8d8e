package ingest

import (
	"context"
	"strings"

	"github.com/data-sink/data-sink/internal/pipeline/basicauth"
)

// authenticate returns the client of a request, or a refusal.
func (h *Handler) authenticate(ctx context.Context, r *request) (basicauth.Client, error) {
	authorization := string(r.authorization)
	client, ok, err := h.config.Credentials.Check(ctx, authorization)
	switch {
	case err != nil:
		if h.logged.first(h.config.Now(), credentialsUnusable, true) {
			h.config.Log.ErrorContext(ctx, credentialsUnusable, "error", err)
		}
		return client, &noCredentials
	case !ok:
		// Known and unknown names are both logged, so the time of the answer does not
		// reveal which clients exist.
		name := client.Name
		if name == "" {
			name = masked(authorization)
		}
		if h.logged.first(h.config.Now(), authenticationFailed+" "+name, client.Name != "") {
			h.config.Log.WarnContext(ctx, authenticationFailed, "client", name, "known", client.Name != "")
		}
		return client, &unauthorized
	}
	return client, nil
}

// maskedLen is the number of bytes of an unknown user name that are logged. It is
// small because the name can be a password or a token in the wrong field.
const maskedLen = 4

// masked returns the part of an unknown user name that is safe to log.
func masked(authorization string) string {
	user, _, ok := basicauth.ParseHeader(authorization)
	if !ok {
		return "(none)"
	}
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '?'
		}
		return r
	}, user[:min(len(user), maskedLen)]) + "…"
}
