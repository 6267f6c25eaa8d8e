package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// endpointVariable is the variable from which the AWS SDK takes the URL of AWS.
const endpointVariable = "AWS_ENDPOINT_URL"

// copyTemplate copies the parts of a CloudFormation template that SAM reads, and
// declares endpointVariable for each function. Paths in the template are relative,
// so the copy must be in the folder of the original.
func copyTemplate(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("reading the template: %w", err)
	}
	changed, err := declareEndpoint(content)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	if err := os.WriteFile(to, changed, 0o644); err != nil {
		return fmt.Errorf("writing the template: %w", err)
	}
	return nil
}

func declareEndpoint(content []byte) ([]byte, error) {
	var template map[string]any
	if err := json.Unmarshal(content, &template); err != nil {
		return nil, fmt.Errorf("reading the template: %w", err)
	}
	functions := 0
	resources, _ := template["Resources"].(map[string]any)
	for id, r := range resources {
		resource, _ := r.(map[string]any)
		kind, _ := resource["Type"].(string)
		switch {
		case kind == "AWS::Lambda::Function":
			if !declare(resource) {
				return nil, fmt.Errorf("reading the template: %s has no environment", id)
			}
			functions++
		case !strings.HasPrefix(kind, "AWS::ApiGatewayV2::"):
			// SAM ignores other types with a log line for each resource.
			delete(resources, id)
		}
	}
	if functions == 0 {
		return nil, errors.New("reading the template: it has no function")
	}
	return json.MarshalIndent(template, "", " ")
}

// declare declares endpointVariable for a function, and reports whether the function
// has an environment.
func declare(function map[string]any) bool {
	properties, _ := function["Properties"].(map[string]any)
	environment, _ := properties["Environment"].(map[string]any)
	variables, ok := environment["Variables"].(map[string]any)
	if ok {
		variables[endpointVariable] = ""
	}
	return ok
}

// writeVariables writes the file with SAM's values of the variables that templates
// declare.
func writeVariables(path string, variables map[string]string) error {
	// The name Parameters applies to every function that declares the variable.
	content, err := json.MarshalIndent(map[string]any{"Parameters": variables}, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the variables: %w", err)
	}
	if err := os.WriteFile(path, append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the variables: %w", err)
	}
	return nil
}
