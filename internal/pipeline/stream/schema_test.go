package stream_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "rewrite schema.json and the table in README.md")

func TestSchemaIsThatOfTheGoType(t *testing.T) {
	t.Parallel()
	schema := reflectSchema(stream.File{})
	schema.Title = "Data Sink streams"
	want, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile("schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(want), string(stream.Schema)); diff != "" {
		t.Errorf("schema.json is not that of stream.File; run go test ./internal/pipeline/stream -update (-want +got):\n%s", diff)
	}
}

// reflectSchema returns the JSON Schema of a Go value.
func reflectSchema(value any) *jsonschema.Schema {
	reflector := jsonschema.Reflector{ExpandedStruct: true, DoNotReference: true, Anonymous: true, Mapper: func(t reflect.Type) *jsonschema.Schema {
		if t != reflect.TypeFor[stream.Tap]() {
			return nil
		}
		return &jsonschema.Schema{Enum: []any{true, stream.TapEnding, false}, Default: true}
	}}
	return reflector.Reflect(value)
}

func TestSchemaAndParseAgree(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			instance, err := validator.UnmarshalJSON(bytes.NewReader([]byte(file.json)))
			if err != nil {
				t.Fatal(err)
			}
			bySchema, byParse := schema.Validate(instance), parseError(file.json)
			if file.beyondSchema {
				if bySchema != nil || byParse == nil {
					t.Errorf("schema says %v and Parse %v, want only Parse to refuse", bySchema, byParse)
				}
				return
			}
			if (bySchema == nil) != (byParse == nil) {
				t.Errorf("schema says %v, Parse %v", bySchema, byParse)
			}
		})
	}
}

func compileSchema(t *testing.T) *validator.Schema {
	t.Helper()
	doc, err := validator.UnmarshalJSON(bytes.NewReader(stream.Schema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := validator.NewCompiler()
	if err := compiler.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func parseError(file string) error {
	_, err := stream.Parse([]byte(file))
	return err
}
