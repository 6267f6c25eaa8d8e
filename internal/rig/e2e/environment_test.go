//go:build e2e

package e2e_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/env"
)

func (d *deployment) testIngestEnvironment(t *testing.T) {
	d.testEnvironment(t, d.outputs.IngestFunction, env.Settings(env.ParseIngest), map[string]lack{env.RedisSecret: {d.mustQueue, "NOAUTH"}})
}

func (d *deployment) testBridgeEnvironment(t *testing.T) {
	d.testEnvironment(t, d.outputs.BridgeFunction, env.Settings(env.ParseBridge), nil)
}

func (d *deployment) testDrainerEnvironment(t *testing.T) {
	d.testEnvironment(t, d.outputs.DrainerFunction, env.Settings(env.ParseDrainer), map[string]lack{env.RedisSecret: {d.sweep, "NOAUTH"}})
}

func (d *deployment) testVerifierEnvironment(t *testing.T) {
	d.testEnvironment(t, d.outputs.VerifierFunction, env.Settings(env.ParseVerifier), map[string]lack{
		// Streams of this deployment have a tap.
		env.BridgeLog: {d.mustBeEqual, env.BridgeLog + ": missing"},
	})
}

// lack is what fails without a variable that has a default: probe returns an error with
// the text want.
type lack struct {
	probe func(*testing.T) error
	want  string
}

// testEnvironment removes one variable after another from a function. Without a
// variable that has no default, the function must not start, and must name the
// variable. Other variables must be deployed with their defaults, so that removing them
// changes nothing, or lacks must have what fails without them.
func (d *deployment) testEnvironment(t *testing.T, name string, settings []env.Setting, lacks map[string]lack) {
	deployed := d.deployed(t, name)
	for _, s := range settings {
		value, ok := deployed.variables[s.Name]
		lacking, tested := lacks[s.Name]
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
		case tested:
			d.cloud.restart(t, name, lost)
			if err := lacking.probe(t); err == nil || !strings.Contains(err.Error(), lacking.want) {
				t.Errorf("%s without %s: %v, want an error with %q", name, s.Name, err, lacking.want)
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
