package datasink

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/data-sink/data-sink/internal/pipeline/env"
)

// declaredVariables are what internal/pipeline/env declares for each function.
var declaredVariables = map[string][]env.Setting{
	"Ingest": env.Settings(env.ParseIngest), "Drainer": env.Settings(env.ParseDrainer), "Bridge": env.Settings(env.ParseBridge),
	"Verifier": env.Settings(env.ParseVerifier),
}

func variables(t *testing.T, root template, function string) object {
	t.Helper()
	v, ok := at(named(t, root, "AWS::Lambda::Function", function).Properties, "Environment", "Variables").(object)
	if !ok {
		t.Fatalf("%s has no environment", function)
	}
	return v
}

func TestEachEnvironmentIsWhatEnvDeclares(t *testing.T) {
	for _, context := range []map[string]any{verified, {"redisUrl": "redis://redis", "verifyHours": "24"}} {
		root := synth(t, context, fourStreams).root
		for function, declared := range declaredVariables {
			var want []string
			for _, s := range declared {
				want = append(want, s.Name)
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(variables(t, root, function)))); diff != "" {
				t.Errorf("variables of %s differ (-env +stack):\n%s", function, diff)
			}
		}
	}
}

var token = regexp.MustCompile(`\$\{[^}]*\}`)

func TestTheFunctionsCanReadTheirEnvironment(t *testing.T) {
	root := synth(t, map[string]any{"waitReplicas": "1", "streamDrainers": "7", "maxBodyBytes": "1000"}, fourStreams).root
	getenv := func(function string) func(string) string {
		v := variables(t, root, function)
		return func(name string) string { return token.ReplaceAllString(rendered(v[name]), "1234") }
	}
	ingest, err := env.ParseIngest(getenv("Ingest"))
	if err != nil {
		t.Error(err)
	}
	if ingest.WaitReplicas != 1 || ingest.MaxBodyBytes != 1000 {
		t.Errorf("ingest waits for %d replicas and accepts %d bytes", ingest.WaitReplicas, ingest.MaxBodyBytes)
	}
	if want := (env.Redis{URL: "rediss://1234:1234?cluster=true", Secret: "1234"}); ingest.Redis != want {
		t.Errorf("ingest uses Redis %+v, want %+v", ingest.Redis, want)
	}
	drainer, err := env.ParseDrainer(getenv("Drainer"))
	if err != nil {
		t.Error(err)
	}
	if drainer.MaxDrainers != 7 || drainer.Name != "datasink" {
		t.Errorf("the drainer of %s allows %d drainers", drainer.Name, drainer.MaxDrainers)
	}
	if drainer.Redis != ingest.Redis || drainer.Wake != ingest.Wake {
		t.Errorf("the drainer uses %+v and %+v, ingest %+v and %+v", drainer.Redis, drainer.Wake, ingest.Redis, ingest.Wake)
	}
	if _, err := env.ParseBridge(getenv("Bridge")); err != nil {
		t.Error(err)
	}
}

// idInText matches a logical ID with its hash in a longer text.
var idInText = regexp.MustCompile(`(\$\{\w+?)[0-9A-F]{8}([.}])`)

func TestVariablesPointAtTheStacksResources(t *testing.T) {
	v := variables(t, synth(t, nil, fourStreams).root, "Ingest")
	for name, want := range map[string]string{
		env.Name: "datasink", env.ArchiveBucket: "${Archive}", env.ClientsSecret: "${Clients}", env.RedisSecret: "${CacheSecret}", env.WakeQueueURL: "${Wake}",
		env.RedisURL: "rediss://${CacheNodes.ConfigurationEndPoint.Address}:${CacheNodes.ConfigurationEndPoint.Port}?cluster=true",
	} {
		got := idInText.ReplaceAllString(rendered(v[name]), "$1$2")
		if got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
}

func TestSwitchesReachTheFunctions(t *testing.T) {
	for _, tt := range []struct {
		context  map[string]any
		variable string
		want     string
		in       []string
	}{
		{nil, env.BypassQueue, "false", []string{"Ingest"}},
		{map[string]any{"bypassQueue": "true"}, env.BypassQueue, "true", []string{"Ingest"}},
		{nil, env.IdempotencyWindow, "1h0m0s", []string{"Ingest"}},
		{map[string]any{"idempotencyMinutes": "90"}, env.IdempotencyWindow, "1h30m0s", []string{"Ingest"}},
		{nil, env.DualStack, "false", []string{"Ingest", "Drainer"}},
		{byIPv6, env.DualStack, "true", []string{"Ingest", "Drainer"}},
	} {
		root := synth(t, tt.context, fourStreams).root
		for _, function := range tt.in {
			if got := variables(t, root, function)[tt.variable]; got != tt.want {
				t.Errorf("%v: %s of %s is %v, want %s", tt.context, tt.variable, function, got, tt.want)
			}
		}
	}
}

func TestFunctionsRunOnLambdasBareRuntime(t *testing.T) {
	for architecture, want := range map[string]string{"arm64": "arm64", "x86_64": "x86_64"} {
		root := synth(t, map[string]any{"architecture": architecture, "verifyHours": "1"}, fourStreams).root
		all := ofType(root, "AWS::Lambda::Function")
		if len(all) != len(functions) {
			t.Errorf("%d functions, want %d", len(all), len(functions))
		}
		for id, f := range all {
			p := f.Properties
			if p["Runtime"] != "provided.al2023" || p["Handler"] != "bootstrap" || asJSON(p["Architectures"]) != `["`+want+`"]` {
				t.Errorf("%s: runtime %v, handler %v, architectures %v", id, p["Runtime"], p["Handler"], p["Architectures"])
			}
			if p["Code"] == nil || at(p, "Code", "ZipFile") != nil {
				t.Errorf("%s: code %v", id, p["Code"])
			}
		}
	}
}

func TestADrainerEndsBeforeItsWakeUps(t *testing.T) {
	root := synth(t, nil, fourStreams).root
	timeout := numeric(t, named(t, root, "AWS::Lambda::Function", "Drainer").Properties["Timeout"])
	queue := named(t, root, "AWS::SQS::Queue", "Wake").Properties
	if visible := numeric(t, queue["VisibilityTimeout"]); visible < 6*timeout {
		t.Errorf("a wake-up is invisible for %v s, want six times the drainer's %v", visible, timeout)
	}
	// API Gateway gives up after 30 s.
	if ingest := numeric(t, named(t, root, "AWS::Lambda::Function", "Ingest").Properties["Timeout"]); ingest >= 30 {
		t.Errorf("ingest may run for %v s", ingest)
	}
}

func TestADrainerMayWakeItselfAndIsNotRetriedByLambda(t *testing.T) {
	root := synth(t, nil, fourStreams).root
	for id, f := range ofType(root, "AWS::Lambda::Function") {
		want := any(nil)
		if plain(id) == "Drainer" {
			want = "Allow"
		}
		if got := f.Properties["RecursiveLoop"]; got != want {
			t.Errorf("%s: recursive loop %v, want %v", id, got, want)
		}
	}
	async := only(t, root, "AWS::Lambda::EventInvokeConfig").Properties
	if plain(rendered(async["FunctionName"])) != "${Drainer}" || numeric(t, async["MaximumRetryAttempts"]) != 0 || numeric(t, async["MaximumEventAgeInSeconds"]) != 60 {
		t.Errorf("asynchronous invocations of the drainer: %v", async)
	}
}

func TestTheDrainerIsUpdatedBeforeIngest(t *testing.T) {
	depends := list(named(t, synth(t, nil, fourStreams).root, "AWS::Lambda::Function", "Ingest").DependsOn)
	if !slices.Contains(depends, "Drainer") {
		t.Errorf("ingest depends on %v, want the drainer among them", depends)
	}
}

func TestReservedConcurrencyOfIngest(t *testing.T) {
	for _, tt := range []struct {
		context map[string]any
		want    any
	}{
		{nil, nil},
		{map[string]any{"ingestConcurrency": "50"}, 50.0},
		{byURL, 100.0},
		{with(byURL, "ingestConcurrency", "0"), nil},
	} {
		root := synth(t, tt.context, fourStreams).root
		for id, f := range ofType(root, "AWS::Lambda::Function") {
			want := tt.want
			if plain(id) != "Ingest" {
				want = nil
			}
			if got := f.Properties["ReservedConcurrentExecutions"]; got != want {
				t.Errorf("%v: %s: reserved concurrency %v, want %v", tt.context, id, got, want)
			}
		}
	}
}

func TestMemoryIsTheSettings(t *testing.T) {
	root := synth(t, map[string]any{"ingestMemory": "512", "bridgeMemory": 1769.0}, fourStreams).root
	for id, want := range map[string]float64{"Ingest": 512, "Drainer": 256, "Bridge": 1769} {
		if got := numeric(t, named(t, root, "AWS::Lambda::Function", id).Properties["MemorySize"]); got != want {
			t.Errorf("%s: %v MB, want %v", id, got, want)
		}
	}
}

func TestEveryLogIsKeptForTheDaysThatTheSettingSays(t *testing.T) {
	root := synth(t, map[string]any{"logRetentionDays": "7", "name": "shop"}, fourStreams).root
	var names []string
	for id, g := range ofType(root, "AWS::Logs::LogGroup") {
		names = append(names, fmt.Sprint(g.Properties["LogGroupName"]))
		if numeric(t, g.Properties["RetentionInDays"]) != 7 || g.DeletionPolicy != "Delete" {
			t.Errorf("%s: retention %v, deletion %s", id, g.Properties["RetentionInDays"], g.DeletionPolicy)
		}
	}
	slices.Sort(names)
	want := []string{"/aws/vendedlogs/shop/api", "/shop/bridge", "/shop/drainer", "/shop/firehose", "/shop/ingest"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("log groups differ (-want +got):\n%s", diff)
	}
	for id, f := range ofType(root, "AWS::Lambda::Function") {
		logging, _ := f.Properties["LoggingConfig"].(object)
		if got, want := rendered(logging["LogGroup"]), "${"+plain(id)+"Logs}"; got != want || logging["LogFormat"] != "JSON" {
			t.Errorf("%s logs %v to %s, want JSON to %s", id, logging["LogFormat"], got, want)
		}
	}
	if level := at(named(t, root, "AWS::Lambda::Function", "Ingest").Properties, "LoggingConfig", "SystemLogLevel"); level != "WARN" {
		t.Errorf("Lambda logs %v of ingest: lines for every record", level)
	}
}

func TestFunctionNamesFollowFromTheDeployment(t *testing.T) {
	for id, f := range ofType(synth(t, map[string]any{"name": "shop"}, fourStreams).root, "AWS::Lambda::Function") {
		if want := "shop-" + strings.ToLower(plain(id)); f.Properties["FunctionName"] != want {
			t.Errorf("%s is named %v, want %s", id, f.Properties["FunctionName"], want)
		}
	}
}
