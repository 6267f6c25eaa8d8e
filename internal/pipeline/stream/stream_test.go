package stream_test

import (
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/google/go-cmp/cmp"
)

// files are streams.json files with the problems that Parse must list, in order.
// beyondSchema marks the problems that a JSON Schema cannot express.
var files = map[string]struct {
	json         string
	problems     []string
	beyondSchema bool
}{
	"no streams":      {json: `{"streams":[]}`, problems: []string{"streams: want at least one stream"}},
	"minimal":         {json: `{"streams":[{"name":"orders"}]}`},
	"schema named":    {json: `{"$schema":"x","streams":[{"name":"orders"}]}`},
	"forty letters":   {json: `{"streams":[{"name":"` + strings.Repeat("a", 40) + `"}]}`},
	"every option":    {json: `{"streams":[{"name":"a","format":"raw","capacity":"provisioned","shards":2,"retentionHours":48,"bufferSeconds":1,"bufferMiB":1,"compression":"gzip","extension":".bin.gz","maxBacklogMiB":0,"overflow":"refuse","retired":true}]}`},
	"streams missing": {json: `{}`, problems: []string{"streams: missing"}},
	"streams null":    {json: `{"streams":null}`, problems: []string{"streams: want at least one stream"}},
	"unknown at top":  {json: `{"streams":[{"name":"a"}],"stream":1}`, problems: []string{"stream: unknown field"}},
	"another case at top": {
		json: `{"Streams":[{"name":"orders"}]}`, problems: []string{"Streams: unknown field", "streams: missing"},
	},
	"two cases at top": {json: `{"streams":[{"name":"a"}],"STREAMS":[{"name":"b"}]}`, problems: []string{"STREAMS: unknown field"}},
	"no object":        {json: `[{"name":"a"}]`, problems: []string{"want an object"}},
	"null":             {json: `null`, problems: []string{"want an object"}},
	"streams as text":  {json: `{"streams":"orders"}`, problems: []string{"streams: want a list"}},
	"streams by name":  {json: `{"streams":{"orders":{}}}`, problems: []string{"streams: want a list"}},
	"schema no text":   {json: `{"$schema":7,"streams":[{"name":"a"}]}`, problems: []string{"$schema: want a string"}},
	"schema null":      {json: `{"$schema":null,"streams":[{"name":"a"}]}`, problems: []string{"$schema: want a string"}},
	"streams twice":    {beyondSchema: true, json: `{"streams":[],"streams":[{"name":"a"}]}`, problems: []string{"streams: duplicate field"}},
	"schema twice":     {beyondSchema: true, json: `{"$schema":"a","$schema":"b","streams":[{"name":"a"}]}`, problems: []string{"$schema: duplicate field"}},
	"twice, once escaped": {
		beyondSchema: true, json: `{"streams":[],"str\u0065ams":[{"name":"a"}]}`, problems: []string{"streams: duplicate field"},
	},
	"option twice, once escaped": {
		beyondSchema: true, json: `{"streams":[{"name":"a","shards":2,"sh\u0061rds":3}]}`, problems: []string{"streams[0].shards: duplicate field"},
	},
	"entry is no object": {
		json: `{"streams":["orders",null]}`, problems: []string{"streams[0]: want an object", "streams[1]: want an object"},
	},
	"all problems at once": {
		json: `{"streams":[
			{"name":"Orders","shards":0},
			{"shard":1,"format":7},
			{"name":"a","format":"csv","retentionHours":23,"bufferSeconds":901,"bufferMiB":129,"capacity":"big","compression":"zip","overflow":"drop"}]}`,
		problems: []string{
			"streams[0].shards: 0: omit the field", `streams[0].name: "Orders": want ^[a-z0-9]`,
			"streams[1].format: is a JSON number: want a string", "streams[1].shard: unknown field", "streams[1].name: missing",
			`streams[2].format: "csv": want lines or raw`, `streams[2].capacity: "big": want provisioned or on-demand`, `streams[2].compression: "zip": want gzip or none`,
			`streams[2].overflow: "drop": want archive or refuse`, "streams[2].retentionHours: 23: want 24 to 8760", "streams[2].bufferSeconds: 901: want 1 to 900",
			"streams[2].bufferMiB: 129: want 1 to 128",
		},
	},
	"problems around and in entries": {
		json: `{"streams":[{"name":"a","format":7},7,{"name":"a","shards":501},{"name":"failed","tub":1},{"name":7}],"stream":[]}`,
		problems: []string{
			"stream: unknown field", "streams[0].format: is a JSON number: want a string", "streams[1]: want an object", "streams[2].shards: 501: want 1 to 500",
			`streams[2].name: "a" is also the name of streams[0]`, "streams[3].tub: unknown field", `streams[3].name: "failed" is reserved`,
			"streams[4].name: is a JSON number: want a string",
		},
	},
	"values out of bounds": {
		json: `{"streams":[{"name":"-a"},{"name":"b","format":"csv","retentionHours":23,"bufferSeconds":901,"bufferMiB":129,"capacity":"big","compression":"zip","overflow":"drop"}]}`,
		problems: []string{
			`streams[0].name: "-a": want ^[a-z0-9]`, `streams[1].format: "csv": want lines or raw`, `streams[1].capacity: "big": want provisioned or on-demand`,
			`streams[1].compression: "zip": want gzip or none`, `streams[1].overflow: "drop": want archive or refuse`,
			"streams[1].retentionHours: 23: want 24 to 8760", "streams[1].bufferSeconds: 901: want 1 to 900", "streams[1].bufferMiB: 129: want 1 to 128",
		},
	},
	"extensions": {json: `{"streams":[{"name":"a","extension":".json.gz"},{"name":"b","compression":"none","extension":".ndjson"},
		{"name":"c","format":"raw","extension":".gz"},{"name":"d","format":"raw","extension":".b*(i-n)_!'"},{"name":"e","format":"raw","compression":"gzip","extension":".gz"}]}`},
	"longest extension": {json: `{"streams":[{"name":"a","extension":".` + strings.Repeat("a", 124) + `.gz"}]}`},
	"bad extensions": {
		json: `{"streams":[{"name":"a","extension":"gz"},{"name":"b","extension":".GZ"},{"name":"c","format":"raw","extension":"."},{"name":"d","format":"raw","extension":"./x"},
			{"name":"e","extension":".` + strings.Repeat("a", 125) + `.gz"},{"name":"f","extension":7}]}`,
		problems: []string{
			`streams[0].extension: "gz": want a full stop`, `streams[1].extension: ".GZ": want a full stop`, `streams[2].extension: ".": want a full stop`,
			`streams[3].extension: "./x": want a full stop`, "streams[4].extension: ", "streams[5].extension: is a JSON number: want a string",
		},
	},
	"extension empty": {json: `{"streams":[{"name":"a","extension":""}]}`, problems: []string{`streams[0].extension: "": omit the field`}},
	"extension of other content": {
		beyondSchema: true,
		json: `{"streams":[{"name":"a","extension":".json"},{"name":"b","compression":"none","extension":".json.gz"},{"name":"c","compression":"none","extension":".zst"},
			{"name":"d","format":"raw","compression":"gzip","extension":".bin"}]}`,
		problems: []string{
			`streams[0].extension: ".json": want an extension that ends in .gz`, `streams[1].extension: ".json.gz": is the extension of compressed files`,
			`streams[2].extension: ".zst": is the extension of compressed files`, `streams[3].extension: ".bin": want an extension that ends in .gz`,
		},
	},
	"name missing":        {json: `{"streams":[{"shards":1}]}`, problems: []string{"streams[0].name: missing"}},
	"another case":        {json: `{"streams":[{"Name":"orders"}]}`, problems: []string{"streams[0].Name: unknown field"}},
	"null option":         {json: `{"streams":[{"name":"a","shards":null}]}`, problems: []string{"streams[0].shards: null: omit"}},
	"fraction":            {json: `{"streams":[{"name":"a","shards":1.5}]}`, problems: []string{"streams[0].shards: is a JSON number 1.5: want a whole number"}},
	"retired as text":     {json: `{"streams":[{"name":"a","retired":"yes"}]}`, problems: []string{"streams[0].retired: is a JSON string: want true or false"}},
	"twice the same name": {beyondSchema: true, json: `{"streams":[{"name":"a"},{"name":"b"},{"name":"a"}]}`, problems: []string{`streams[2].name: "a" is also the name of streams[0]`}},
	"reserved names":      {beyondSchema: true, json: `{"streams":[{"name":"failed"},{"name":"aws"}]}`, problems: []string{`streams[0].name: "failed" is reserved`, `streams[1].name: "aws" is reserved`}},
	"every tap":           {json: `{"streams":[{"name":"a","tap":true,"shards":2},{"name":"b","tap":"ending","retentionHours":48,"capacity":"on-demand"},{"name":"c","tap":false}]}`},
	"another tap": {
		json: `{"streams":[{"name":"a","tap":"false"},{"name":"b","tap":1},{"name":"c","tap":"on"},{"name":"d","tap":""},{"name":"e","tap":[true]}]}`,
		problems: []string{
			`streams[0].tap: "\"false\"": want true, false or "ending"`, `streams[1].tap: "1": want true`, `streams[2].tap: "\"on\"": want true`,
			`streams[3].tap: "\"\"": want true`, `streams[4].tap: "[true]": want true`,
		},
	},
	"tap null": {json: `{"streams":[{"name":"a","tap":null}]}`, problems: []string{"streams[0].tap: null: omit"}},
	"fields of a tap without one": {
		beyondSchema: true, json: `{"streams":[{"name":"a","tap":false,"capacity":"provisioned","shards":1,"retentionHours":24}]}`,
		problems: []string{
			"streams[0].capacity: not valid with tap false", "streams[0].shards: not valid with tap false", "streams[0].retentionHours: not valid with tap false",
		},
	},
	"shards with on-demand": {beyondSchema: true, json: `{"streams":[{"name":"a","capacity":"on-demand","shards":2}]}`, problems: []string{"streams[0].shards: 2: valid only with provisioned capacity"}},
}

func TestParseListsAllProblems(t *testing.T) {
	t.Parallel()
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := parseError(file.json)
			if len(file.problems) == 0 {
				if err != nil {
					t.Fatalf("Parse: %v", err)
				}
				return
			}
			if err == nil {
				t.Fatalf("Parse: no error, want %q", file.problems)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(file.problems) {
				t.Fatalf("Parse lists %d problems, want %d:\n%v", len(lines), len(file.problems), err)
			}
			for i, want := range file.problems {
				if !strings.Contains(lines[i], want) {
					t.Errorf("problem %d = %q, want %q in it", i, lines[i], want)
				}
			}
		})
	}
}

func TestParseRefusesMalformedJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ json, want string }{
		{"", "unexpected end of the JSON value"},
		{`{"streams":[`, "unexpected end of the JSON value"},
		{"{\n\"streams\":[\n}", "line 3: invalid character"},
		{"\ufeff" + `{"streams":[{"name":"A"}]}`, "byte order mark"},
		{"\ufeff" + `{"streams":[{"name":"A"}]}`, `streams[0].name: "A"`},
		{`{"streams":[]} {}`, "data after the JSON value"},
		{`{"streams":[{"name":"a","name":"b"}]}`, "streams[0].name: duplicate field"},
	} {
		if err := parseError(tt.json); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Parse(%q) = %v, want an error with %q", tt.json, err, tt.want)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	set, err := stream.Parse([]byte(`{"streams":[{"name":"b"},{"name":"a","format":"raw","capacity":"on-demand"},{"name":"c","tap":false}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []stream.Stream{
		{Name: "b", Format: stream.Lines, Tap: stream.TapOn, Capacity: stream.Provisioned, Shards: 1, RetentionHours: 24, BufferSeconds: 60, BufferMiB: 64, Compression: stream.Gzip, Overflow: stream.ToArchive},
		{Name: "a", Format: stream.Raw, Tap: stream.TapOn, Capacity: stream.OnDemand, RetentionHours: 24, BufferSeconds: 60, BufferMiB: 64, Compression: stream.None, Overflow: stream.ToArchive},
		{Name: "c", Format: stream.Lines, Tap: stream.TapOff, BufferSeconds: 60, BufferMiB: 64, Compression: stream.Gzip, Overflow: stream.ToArchive},
	}
	if diff := cmp.Diff(want, set.All()); diff != "" {
		t.Errorf("All differs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, set.Names()); diff != "" {
		t.Errorf("Names differs (-want +got):\n%s", diff)
	}
	if s, ok := set.Lookup("a"); !ok || s.Suffix() != "" {
		t.Errorf("Lookup(a) = %+v, %v, want the raw stream without a suffix", s, ok)
	}
	if _, ok := set.Lookup("d"); ok {
		t.Error("Lookup(d) found a stream that is not there")
	}
}

func TestSuffixIsTheExtension(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string]struct {
		suffix               string
		gzipNames, holdsGzip bool
	}{
		`{"name":"a"}`:                        {".gz", true, false},
		`{"name":"a","extension":".json.gz"}`: {".json.gz", true, false},

		`{"name":"a","compression":"none","extension":".ndjson"}`: {".ndjson", false, false},
		`{"name":"a","format":"raw"}`:                             {"", false, false},
		`{"name":"a","format":"raw","extension":".gz"}`:           {".gz", true, true},
		`{"name":"a","format":"raw","compression":"gzip"}`:        {".gz", true, false},
		`{"name":"a","format":"raw","extension":".gz.enc"}`:       {".gz.enc", false, false},
	} {
		set, err := stream.Parse([]byte(`{"streams":[` + entry + `]}`))
		if err != nil {
			t.Errorf("%s: %v", entry, err)
			continue
		}
		s := set.All()[0]
		if s.Suffix() != want.suffix || s.HasGzipNames() != want.gzipNames || s.HoldsGzip() != want.holdsGzip {
			t.Errorf("%s: Suffix %q, HasGzipNames %v, HoldsGzip %v, want %+v", entry, s.Suffix(), s.HasGzipNames(), s.HoldsGzip(), want)
		}
	}
}

func TestFolderIsInUTC(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 0, 30, 0, 0, time.FixedZone("", 3600))
	if got, want := (stream.Stream{Name: "orders"}).Folder(at), "orders/dt=2026-11-22/hour=23/"; got != want {
		t.Errorf("Folder = %q, want %q", got, want)
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	t.Parallel()
	if _, err := stream.Load("testdata/absent.json"); err == nil || !strings.Contains(err.Error(), "absent.json") {
		t.Errorf("Load of an absent file = %v", err)
	}
	if _, err := stream.Load("../../../streams.json"); err != nil {
		t.Errorf("Load of the repository's streams.json: %v", err)
	}
}

func TestDeploymentName(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"datasink": true, "a-1": true, strings.Repeat("a", 20): true,
		"": false, "1a": false, "A": false, "a.b": false, strings.Repeat("a", 21): false,
	} {
		if err := stream.ValidateDeployment(name); (err == nil) != ok {
			t.Errorf("ValidateDeployment(%q) = %v, want ok %v", name, err, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range files {
		f.Add([]byte(file.json))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		set, err := stream.Parse(b)
		if err != nil {
			return
		}
		for _, s := range set.All() {
			if s.Name == "" || s.Format == "" || s.Compression == "" || strings.ContainsAny(s.Name, "{}/.:%") {
				t.Errorf("Parse accepted %+v", s)
			}
		}
	})
}
