package datasink

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// namedEnvironment is a file in cdk/environments: where a deployment is, and its settings.
type namedEnvironment struct {
	// Account and Region are where the stack is deployed. By default the credentials
	// of the CDK CLI decide.
	Account string `json:"account"`
	Region  string `json:"region"`
	// Tags are the tags of all resources.
	Tags map[string]string `json:"tags"`
	// Settings are settings by name, as in the context of the CDK app.
	Settings map[string]any `json:"settings"`
}

// environmentKey is the name in the context that selects an environment.
const environmentKey = "environment"

var environmentForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// readEnvironment reads the environment that the context names, and returns it with the
// context of the deployment. The other values of the context win over the settings of
// the environment. Without a name it returns the zero environment. An error in the file
// names the file.
func readEnvironment(context map[string]any, root string) (namedEnvironment, map[string]any, error) {
	var e namedEnvironment
	name, ok := context[environmentKey]
	if !ok {
		return e, context, nil
	}
	text, _ := name.(string)
	if !environmentForm.MatchString(text) {
		return e, nil, fmt.Errorf("%s: %v: want the name of a file in cdk/environments without .json", environmentKey, name)
	}
	path := filepath.Join("cdk", "environments", text+".json")
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return e, nil, fmt.Errorf("reading the environment %s: %w", text, err)
	}
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return e, nil, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := settings.Parse(e.Settings); err != nil {
		return e, nil, fmt.Errorf("%s: %w", path, err)
	}
	merged := maps.Clone(e.Settings)
	if merged == nil {
		merged = make(map[string]any)
	}
	maps.Copy(merged, context)
	delete(merged, environmentKey)
	return e, merged, nil
}
