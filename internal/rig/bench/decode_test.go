package main

import (
	"encoding/base64"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
)

func TestTheDecodersOfTheFloorAgree(t *testing.T) {
	t.Parallel()
	for _, event := range [][]byte{postEvent(jsonBody(1<<10), true), postEvent(randomBody(1<<10), false)} {
		a, err := decodeWithJSONParser(event)
		if err != nil {
			t.Fatal(err)
		}
		b, err := decodeWithJSONv2(event)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, b, cmp.AllowUnexported(request{})); diff != "" {
			t.Errorf("jsonparser and json/v2 (-one +other):\n%s", diff)
		}
	}
}

// BenchmarkFloorDecoder compares the decoders for the floor.
func BenchmarkFloorDecoder(b *testing.B) {
	for _, c := range []struct {
		name  string
		event []byte
	}{
		{"text/1KiB", postEvent(jsonBody(1<<10), true)},
		{"base64/1KiB", postEvent(randomBody(1<<10), false)},
		{"text/1MB", postEvent(jsonBody(1_000_000), true)},
		{"base64/1MB", postEvent(randomBody(1_000_000), false)},
	} {
		for _, d := range []struct {
			name   string
			decode func([]byte) (request, error)
		}{{"jsonparser", decodeWithJSONParser}, {"jsonv2", decodeWithJSONv2}} {
			b.Run(c.name+"/"+d.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := d.decode(c.event); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// decodeWithJSONv2 uses the implementation of encoding/json/v2.
func decodeWithJSONv2(event []byte) (request, error) {
	var e struct {
		Headers struct {
			Authorization string `json:"authorization"`
		} `json:"headers"`
		PathParameters struct {
			Stream string `json:"stream"`
		} `json:"pathParameters"`
		IsBase64Encoded bool   `json:"isBase64Encoded"`
		Body            string `json:"body"`
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return request{}, err
	}
	r := request{stream: []byte(e.PathParameters.Stream), authorization: []byte(e.Headers.Authorization), body: []byte(e.Body)}
	if e.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(e.Body)
		r.body = body
		return r, err
	}
	return r, nil
}
