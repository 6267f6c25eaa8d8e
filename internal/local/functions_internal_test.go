package local

import (
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The local functions have the defaults of the functions on AWS, except for the
// fields that this test lists.
func TestLocalFunctionsHaveTheDefaults(t *testing.T) {
	t.Parallel()
	o := withDefaults(Options{})
	ingestOnly := cmpopts.IgnoreFields(env.Ingest{}, "Base.Name", "Wake.Interval", "PushTimeout")
	if diff := cmp.Diff(env.Defaults(env.ParseIngest), ingestEnv(o), ingestOnly); diff != "" {
		t.Errorf("ingest differs (-default +local):\n%s", diff)
	}
	drainerOnly := cmpopts.IgnoreFields(env.Drainer{}, "Base.Name", "Wake.Interval", "ClaimsInFlight", "MaxDrainers")
	if diff := cmp.Diff(env.Defaults(env.ParseDrainer), drainerEnv(o), drainerOnly); diff != "" {
		t.Errorf("the drainer differs (-default +local):\n%s", diff)
	}
}
