package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const template = `{
  "Resources": {
    "Ingest": {"Type": "AWS::Lambda::Function", "Metadata": {"aws:asset:path": "asset.1"}, "Properties": {"Environment": {"Variables": {"A": {"Ref": "B"}}}}},
    "Api": {"Type": "AWS::ApiGatewayV2::Api"},
    "Vpc": {"Type": "AWS::EC2::VPC"}
  },
  "Outputs": {"Url": {"Value": "x"}}
}`

func TestTheCopyHasTheFunctionsWithTheEndpoint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "datasink.template.json"), filepath.Join(dir, "sam.template.json")
	if err := os.WriteFile(from, []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := copyTemplate(from, to); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"Resources": map[string]any{
			"Ingest": map[string]any{
				"Type": "AWS::Lambda::Function", "Metadata": map[string]any{"aws:asset:path": "asset.1"},
				"Properties": map[string]any{"Environment": map[string]any{"Variables": map[string]any{
					"A": map[string]any{"Ref": "B"}, "AWS_ENDPOINT_URL": "",
				}}},
			},
			"Api": map[string]any{"Type": "AWS::ApiGatewayV2::Api"},
		},
		"Outputs": map[string]any{"Url": map[string]any{"Value": "x"}},
	}
	if diff := cmp.Diff(want, read(t, to)); diff != "" {
		t.Errorf("the copy differs (-want +got):\n%s", diff)
	}
}

func TestATemplateWithoutFunctionsIsRefused(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		`{}`: "it has no function",
		`[`:  "reading the template",
		`{"Resources":{"F":{"Type":"AWS::Lambda::Function"}}}`: "F has no environment",
	} {
		if _, err := declareEndpoint([]byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", content, err, want)
		}
	}
	if err := copyTemplate("absent", filepath.Join(t.TempDir(), "copy")); err == nil {
		t.Error("no template: no error")
	}
}

func TestVariablesApplyToEveryFunction(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "env.json")
	if err := writeVariables(path, map[string]string{"A": "b"}); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"Parameters": map[string]any{"A": "b"}}
	if diff := cmp.Diff(want, read(t, path)); diff != "" {
		t.Errorf("the file differs (-want +got):\n%s", diff)
	}
}

func read(t *testing.T, path string) map[string]any {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var value map[string]any
	if err := json.Unmarshal(content, &value); err != nil {
		t.Fatal(err)
	}
	return value
}
