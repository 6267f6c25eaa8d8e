//go:build e2e

package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// permission is an action that a function's code calls. resource is a part of its
// resource's ARN that no other resource of the role has.
type permission struct {
	action, resource string
	// lost is a part of the error that probe returns without the permission.
	lost string
	// probe restarts the function and uses the permission.
	probe func(*deployment, *testing.T) error
}

// unchecked is an action that the emulator does not check, and its user. Claims on
// the template check its resources: cdk/datasink's
// TestEachRoleMayDoItsOwnActionsOnItsOwnResources.
type unchecked struct{ action, resource, who string }

var uncheckedOfAll = []unchecked{
	{"logs:CreateLogStream", "", "Lambda writes the function's log"},
	{"logs:PutLogEvents", "", "Lambda writes the function's log"},
	{"ec2:", "*", "Lambda puts the function into the VPC"},
}

// testPermissions removes one permission after another from a function and checks
// what fails. Every permission of the role must be in one of the tables.
func (d *deployment) testPermissions(t *testing.T, function string, table []permission, others []unchecked) {
	granted := d.granted(t, function)
	for _, s := range granted.policy.Statement {
		for _, action := range s.Action {
			for _, resource := range s.Resource {
				called := slices.ContainsFunc(table, func(p permission) bool {
					return p.action == action && strings.Contains(resource, p.resource)
				})
				explained := slices.ContainsFunc(append(others, uncheckedOfAll...), func(u unchecked) bool {
					return strings.HasPrefix(action, u.action) && strings.Contains(resource, u.resource)
				})
				if s.Effect == "Allow" && called == explained {
					t.Errorf("%s may do %s on %s: in the table %v, explained %v", function, action, resource, called, explained)
				}
			}
		}
	}
	for _, p := range table {
		t.Run(p.action+" "+p.resource, func(t *testing.T) {
			d.put(t, function, deny(granted.policy, p.action, p.resource))
			err := p.probe(d, t)
			// A scheduled sweep may have interfered.
			for tries := 1; err == nil && tries < 3; tries++ {
				err = p.probe(d, t)
			}
			d.allow(t, function)
			if err == nil || !strings.Contains(err.Error(), p.lost) {
				t.Errorf("without the permission: %v, want %s", err, p.lost)
			}
			if err := p.probe(d, t); err != nil {
				t.Errorf("with the permission: %v", err)
			}
		})
	}
}

// grants is a role with the policy that the stack gave it.
type grants struct {
	role, name string
	policy     policy
}

// granted returns what the stack granted to a function.
func (d *deployment) granted(t *testing.T, function string) grants {
	t.Helper()
	if g, ok := d.grants[function]; ok {
		return g
	}
	g := grants{role: d.deployed(t, function).role}
	g.name, g.policy = d.cloud.rolePolicy(t, g.role)
	d.grants[function] = g
	return g
}

// allow restores what the stack granted to a function.
func (d *deployment) allow(t *testing.T, function string) {
	t.Helper()
	d.put(t, function, d.granted(t, function).policy)
}

func (d *deployment) put(t *testing.T, function string, p policy) {
	t.Helper()
	g := d.granted(t, function)
	d.cloud.putRolePolicy(t, g.role, g.name, p)
}

// denyPuts denies the drainer to put records to exactly the named streams.
func (d *deployment) denyPuts(t *testing.T, names ...string) {
	t.Helper()
	p := d.granted(t, d.outputs.DrainerFunction).policy
	s := statement{Effect: "Deny", Action: words{"kinesis:PutRecords"}}
	for _, name := range names {
		s.Resource = append(s.Resource, fmt.Sprintf("arn:aws:kinesis:%s:%s:stream/%s.%s", region, account, stackName, name))
	}
	d.put(t, d.outputs.DrainerFunction, policy{p.Version, append(slices.Clone(p.Statement), s)})
}

// deny returns a policy without an action on the resources whose ARN contains part.
func deny(p policy, action, part string) policy {
	left := policy{Version: p.Version}
	for _, s := range p.Statement {
		if s.Effect != "Allow" || !slices.Contains(s.Action, action) {
			left.Statement = append(left.Statement, s)
			continue
		}
		same, other := s, s
		same.Action = slices.DeleteFunc(slices.Clone(s.Action), func(a string) bool { return a == action })
		other.Action = words{action}
		other.Resource = slices.DeleteFunc(slices.Clone(s.Resource), func(r string) bool { return strings.Contains(r, part) })
		for _, s := range []statement{same, other} {
			if len(s.Action) > 0 && len(s.Resource) > 0 {
				left.Statement = append(left.Statement, s)
			}
		}
	}
	return left
}
