package datasink

import (
	"slices"
	"testing"
)

// allowed are the permissions of all roles.
func allowed(t *testing.T, a assembly) map[string]permissions {
	t.Helper()
	roles := make(map[string]permissions)
	for id, r := range ofType(a.root, "AWS::IAM::Role") {
		p := make(permissions)
		for _, s := range statements(t, r) {
			if s["Effect"] != "Allow" {
				continue
			}
			if s["NotAction"] != nil || s["NotResource"] != nil {
				t.Errorf("%s allows everything but something: %v", id, s)
			}
			for _, action := range list(s["Action"]) {
				p[action] = append(p[action], list(s["Resource"])...)
				slices.Sort(p[action])
			}
		}
		roles[plain(id)] = p
	}
	return roles
}

func statements(t *testing.T, role resource) []object {
	t.Helper()
	policies, _ := role.Properties["Policies"].([]any)
	if len(policies) != 1 {
		t.Fatalf("a role has %d policies, want 1", len(policies))
	}
	var all []object
	found, _ := at(policies[0], "PolicyDocument", "Statement").([]any)
	for _, s := range found {
		all = append(all, s.(object))
	}
	return all
}

// list is a value or a list of values, rendered, without logical ids' hashes.
func list(value any) []string {
	values, ok := value.([]any)
	if !ok {
		values = []any{value}
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = plain(rendered(v))
	}
	return texts
}
