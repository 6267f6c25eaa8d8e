//go:build e2e

package e2e_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/env"
)

func (d *deployment) testIngestEnvironment(t *testing.T) {
	d.testEnvironment(t, d.outputs.IngestFunction, env.Settings(env.ParseIngest), d.mustQueue)
}

func (d *deployment) testBridgeEnvironment(t *testing.T) {
	d.testEnvironment(t, d.outputs.BridgeFunction, env.Settings(env.ParseBridge), nil)
}

func (d *deployment) testDrainerEnvironment(t *testing.T) {
	d.testEnvironment(t, d.outputs.DrainerFunction, env.Settings(env.ParseDrainer), d.sweep)
}

func (d *deployment) testVerifierEnvironment(t *testing.T) {
	d.testEnvironment(t, d.outputs.VerifierFunction, env.Settings(env.ParseVerifier), nil)
}

// testEnvironment removes one variable after another from a function. Without a
// variable that has no default, the function must not start, and must name the
// variable. Without the name of Redis' secret, Redis must refuse the function, which
// probe detects. All other variables must be deployed with their defaults, so that
// removing them changes nothing.
func (d *deployment) testEnvironment(t *testing.T, name string, settings []env.Setting, probe func(*testing.T) error) {
	deployed := d.deployed(t, name)
	for _, s := range settings {
		value, ok := deployed.variables[s.Name]
		lost := deployed
		lost.variables = maps.Clone(deployed.variables)
		delete(lost.variables, s.Name)
		switch {
		case !ok:
			t.Errorf("%s is deployed without %s", name, s.Name)
		case s.Required:
			d.cloud.restart(t, name, lost)
			if i := d.cloud.invoke(t, name, "{}"); !strings.Contains(i.failure, s.Name+": missing") {
				t.Errorf("%s without %s: %s %s", name, s.Name, i.failure, i.answer)
			}
		case s.Name == env.RedisSecret && probe != nil:
			d.cloud.restart(t, name, lost)
			if err := probe(t); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
				t.Errorf("%s without %s: %v, want Redis to refuse it", name, s.Name, err)
			}
		case value != s.Default:
			t.Errorf("%s has %s=%s, which is not the default %s: this test does not know what fails without it", name, s.Name, value, s.Default)
		}
	}
	if len(deployed.variables) != len(settings) {
		t.Errorf("%s is deployed with %d variables but reads %d", name, len(deployed.variables), len(settings))
	}
	d.restart(t, name, nil)
}

// deployed returns a function as the stack deployed it.
func (d *deployment) deployed(t *testing.T, name string) function {
	t.Helper()
	if _, ok := d.functions[name]; !ok {
		d.functions[name] = d.cloud.function(t, name)
	}
	return d.functions[name]
}

// restart starts a new process of a function, with the environment of the stack plus
// changes.
func (d *deployment) restart(t *testing.T, name string, changes map[string]string) {
	t.Helper()
	f := d.deployed(t, name)
	f.variables = maps.Clone(f.variables)
	maps.Copy(f.variables, changes)
	d.cloud.restart(t, name, f)
}
