package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

// This file is in package ingest because it tests unexported values.

// document is the part of an OpenAPI document that the tests compare.
type document struct {
	Paths      map[string]map[string]operation
	Components struct {
		Responses map[string]answerDocument
		Schemas   struct {
			AcceptedBatch struct {
				Properties struct{ Records struct{ Maximum int } }
			} `yaml:"AcceptedBatch"`
		}
		Parameters map[string]struct {
			Name, In string
			Schema   struct {
				MaxLength int `yaml:"maxLength"`
			}
		}
	}
}

type operation struct {
	Responses map[string]answerDocument
}

type answerDocument struct {
	Ref     string `yaml:"$ref"`
	Content map[string]struct {
		Schema struct {
			AllOf []struct {
				Properties struct {
					Status struct{ Const int }
					Code   struct {
						Const string
						Enum  []string
					}
				}
			} `yaml:"allOf"`
		}
	}
}

// codes returns the codes of a refusal with their status.
func (d answerDocument) codes(tb testing.TB, all document) map[string]int {
	tb.Helper()
	if d.Ref != "" {
		name := d.Ref[strings.LastIndex(d.Ref, "/")+1:]
		found, ok := all.Components.Responses[name]
		if !ok {
			tb.Fatalf("no response %s", name)
		}
		d = found
	}
	codes := make(map[string]int)
	for _, part := range d.Content["application/problem+json"].Schema.AllOf {
		p := part.Properties
		for _, code := range append(p.Code.Enum, p.Code.Const) {
			if code != "" {
				codes[code] = p.Status.Const
			}
		}
	}
	return codes
}

func readDocument(tb testing.TB) document {
	tb.Helper()
	var d document
	if err := yaml.Unmarshal(OpenAPI, &d); err != nil {
		tb.Fatal(err)
	}
	return d
}

// Every code of the handler is in the document with its status, and no other code.
// Only API Gateway's router can pass on another method, for which it has no route.
func TestOpenAPIHasEveryCode(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	got := map[string]int{"method_not_allowed": 405}
	for path, operations := range d.Paths {
		for method, o := range operations {
			for status, a := range o.Responses {
				for code, stated := range a.codes(t, d) {
					if fmt.Sprint(stated) != status {
						t.Errorf("%s %s: %s is listed under %s, with the status %d", method, path, code, status, stated)
					}
					got[code] = stated
				}
			}
		}
	}
	if diff := cmp.Diff(statuses, got); diff != "" {
		t.Errorf("codes of the handler and of the document (-want +got):\n%s", diff)
	}
	batchOnly := []string{"not_a_lines_stream", "too_many_lines", "unsupported_type"}
	single, batch := make(map[string]int), make(map[string]int)
	for _, a := range d.Paths["/archives/{stream}"]["post"].Responses {
		maps.Copy(single, a.codes(t, d))
	}
	for _, a := range d.Paths["/archives/{stream}/batch"]["post"].Responses {
		maps.Copy(batch, a.codes(t, d))
	}
	maps.DeleteFunc(batch, func(code string, _ int) bool { return slices.Contains(batchOnly, code) })
	if diff := cmp.Diff(batch, single); diff != "" {
		t.Errorf("codes of a batch and of a record (-batch +record):\n%s", diff)
	}
}

// The handler has exactly the paths and methods of the document.
func TestOpenAPIHasEveryPath(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	var got []string
	for path, operations := range d.Paths {
		for method := range operations {
			got = append(got, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(got)
	want := []string{"GET /health", "POST /archives/{stream}", "POST /archives/{stream}/batch"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	h := benchHandler(t)
	for _, o := range got {
		method, path, _ := strings.Cut(o, " ")
		e := events.APIGatewayV2HTTPRequest{RawPath: strings.Replace(path, "{stream}", "orders", 1), Body: "hello", Headers: map[string]string{"authorization": "Basic ZGF0YXNpbms6aHVudGVyMg=="}}
		e.RequestContext.HTTP.Method = method
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		out, err := h.Invoke(context.Background(), raw)
		if err != nil {
			t.Fatal(err)
		}
		var answer response
		if err := json.Unmarshal(out, &answer); err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != 200 && answer.StatusCode != 202 {
			t.Errorf("%s = %d %s, want success", o, answer.StatusCode, answer.Body)
		}
		if hasRecords := strings.Contains(answer.Body, "records"); hasRecords != strings.HasSuffix(path, "/batch") {
			t.Errorf("%s: answer %s", o, answer.Body)
		}
	}
}

func TestOpenAPIHasTheLimits(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	if got := d.Components.Schemas.AcceptedBatch.Properties.Records.Maximum; got != maxLines {
		t.Errorf("at most %d lines, want %d", got, maxLines)
	}
	if got := d.Components.Parameters["PartitionKey"].Schema.MaxLength; got != maxPartitionKey {
		t.Errorf("partition key of at most %d characters, want %d", got, maxPartitionKey)
	}
	if got := d.Components.Parameters["IdempotencyKey"].Schema.MaxLength; got != maxIdempotencyKey {
		t.Errorf("idempotency key of at most %d characters, want %d", got, maxIdempotencyKey)
	}
}
