package datasink

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
)

// writeEnvironment makes a root of the repository with one stream and the environment
// staging.
func writeEnvironment(t *testing.T, content string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range map[string]string{
		"streams.json":                  `{"streams": [{"name": "orders"}]}`,
		"streams-staging.json":          `{"streams": [{"name": "staging-orders"}]}`,
		"cdk/environments/staging.json": content,
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func noVariables(string) string { return "" }

func TestAnEnvironmentIsReadAndTheCommandLineWins(t *testing.T) {
	root := writeEnvironment(t, `{
		"account": "123456789012", "region": "eu-west-1", "tags": {"team": "data"},
		"settings": {"name": "staging", "streams": "streams-staging.json", "cacheReplicas": 0, "tracing": true}
	}`)
	d, err := load(map[string]any{"environment": "staging", "cacheReplicas": "2"}, root, noVariables)
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != "staging" || !d.Tracing {
		t.Errorf("name is %s and tracing %v, want those of the file", d.Name, d.Tracing)
	}
	if d.CacheReplicas != 2 {
		t.Errorf("cacheReplicas is %d, want 2 from the command line", d.CacheReplicas)
	}
	if _, ok := d.streams.Lookup("staging-orders"); !ok {
		t.Errorf("the streams are %v, want those of the file", d.streams.Names())
	}
	app := awscdk.NewApp(nil)
	d.assets = stubs(t, d.streams)
	stack := newStack(app, d)
	if *stack.Account() != "123456789012" || *stack.Region() != "eu-west-1" {
		t.Errorf("the stack is in %s, %s", *stack.Account(), *stack.Region())
	}
	if tags := *stack.Tags().TagValues(); tags["team"] == nil || *tags["team"] != "data" {
		t.Errorf("the tags of the stack are %v", tags)
	}
}

func TestAWrongEnvironmentNamesItsFile(t *testing.T) {
	for name, tt := range map[string]struct{ content, environment, want string }{
		"a wrong value":      {`{"settings": {"cacheReplicas": 99}}`, "staging", "cdk/environments/staging.json: "},
		"an unknown setting": {`{"settings": {"cacheReplica": 1}}`, "staging", "cdk/environments/staging.json: "},
		"an unknown field":   {`{"setting": {}}`, "staging", "cdk/environments/staging.json: "},
		"no JSON":            {`{`, "staging", "cdk/environments/staging.json: "},
		"a missing file":     {`{}`, "prod", "prod.json"},
		"a path":             {`{}`, "../staging", "want the name of a file"},
	} {
		root := writeEnvironment(t, tt.content)
		if _, err := load(map[string]any{"environment": tt.environment}, root, noVariables); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: load = %v, want an error with %q", name, err, tt.want)
		}
	}
}
