package queue

import (
	"regexp"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"pgregory.net/rapid"
)

// This file is in package queue because the keys are not exported.

// The keys of every stream that streams.json allows have the documented form and
// the stream's name as hash tag. No other stream or deployment has the same keys.
func TestKeysBelongToOneStream(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z][a-z0-9-]{0,19}:\{[a-z0-9][a-z0-9-]{0,39}\}:(queue|claims|stats|wake|claim:|once|once:old)$`)
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,39}`).Filter(func(s string) bool {
			_, err := stream.Parse([]byte(`{"streams":[{"name":"` + s + `"}]}`))
			return err == nil
		})
		deployments := rapid.StringMatching(`[a-z][a-z0-9-]{0,19}`).Filter(func(s string) bool { return stream.ValidateDeployment(s) == nil })
		of := func(deployment, name string) []string {
			k := (&Queue{options: Options{Deployment: deployment}}).keys(name)
			return []string{k.queue, k.claims, k.stats, k.wake, k.claim, k.once, k.onceOld}
		}
		name, deployment := names.Draw(t, "stream"), deployments.Draw(t, "deployment")
		other, elsewhere := names.Draw(t, "other stream"), deployments.Draw(t, "other deployment")
		owned := make(map[string]bool)
		for _, key := range of(deployment, name) {
			if !form.MatchString(key) || owned[key] {
				t.Fatalf("key %q of stream %q", key, name)
			}
			// The hash tag is the text between the first brace and the next closing
			// brace.
			_, rest, _ := strings.Cut(key, "{")
			if tag, _, _ := strings.Cut(rest, "}"); tag != name {
				t.Fatalf("key %q has the hash tag %q", key, tag)
			}
			owned[key] = true
		}
		if name == other && deployment == elsewhere {
			return
		}
		for _, key := range of(elsewhere, other) {
			if owned[key] {
				t.Fatalf("%q of %q and %q of %q share %q", name, deployment, other, elsewhere, key)
			}
		}
	})
}
