package main_test

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// The container that compose.yaml starts can be reached from this machine only, and
// each of its secrets must be set.
func TestComposeIsPrivate(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Environment map[string]string
			Ports       []string
		}
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	service := file.Services["datasink"]
	if len(service.Ports) != 3 {
		t.Errorf("ports %v, want 3", service.Ports)
	}
	for _, port := range service.Ports {
		if !strings.HasPrefix(port, "127.0.0.1:") {
			t.Errorf("port %s is not published on 127.0.0.1", port)
		}
	}
	for _, name := range []string{"DATASINK_PASSWORD", "DATASINK_ACCESS_KEY", "DATASINK_SECRET_KEY"} {
		if value := service.Environment[name]; !strings.HasPrefix(value, "${"+name+":?") {
			t.Errorf("%s is %q, want a required variable of the environment", name, value)
		}
	}
}
