package envelope_test

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/envelope"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// records are the golden records: one for each encoding of an element.
var records = map[string]envelope.Record{
	"plain": {
		Stream: "orders", ReceivedAt: time.Date(2026, 11, 22, 23, 0, 1, 0, time.UTC),
		ID: "019ab1c2-7e5f-7cc1-98c4-dc0c0c07398f", Body: []byte(`{"a":1}`),
	},
	"key-and-nanoseconds": {
		Stream: "dispatcher-decisions", ReceivedAt: time.Date(2026, 11, 22, 23, 0, 1, 123456789, time.UTC),
		ID: "019ab1c2-7e5f-7cc1-98c4-dc0c0c07398f", PartitionKey: "clé ☃", Body: []byte{0, 0xff, '\n', 0x1f, 0x8b},
	},
	"after-2514": {
		Stream: "s", ReceivedAt: time.Date(2600, 1, 1, 0, 0, 0, 5, time.UTC),
		ID: "019ab1c2-7e5f-7cc1-98c4-dc0c0c07398f", Body: []byte(strings.Repeat("x", 300)),
	},
	"empty-body": {
		Stream: "orders", ReceivedAt: time.Date(2026, 11, 22, 23, 0, 1, 0, time.UTC),
		ID: "019ab1c2-7e5f-7cc1-98c4-dc0c0c07398f", Body: []byte{},
	},
}

func TestBytesAreTheContract(t *testing.T) {
	t.Parallel()
	for name, record := range records {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := envelope.Encode(record)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".hex")
			if *update {
				if err := os.WriteFile(path, []byte(hex.EncodeToString(got)+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			golden, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimSpace(string(golden)), hex.EncodeToString(got)); diff != "" {
				t.Errorf("Encode(%s) differs from its golden (-want +got):\n%s", name, diff)
			}
			back, err := envelope.Decode(got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(record, back); diff != "" {
				t.Errorf("Decode(Encode(%s)) differs (-want +got):\n%s", name, diff)
			}
		})
	}
}

func TestNilBodyIsAnEmptyBin(t *testing.T) {
	t.Parallel()
	b, err := envelope.Encode(envelope.Record{Stream: "orders", ID: "id"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := envelope.Decode(b)
	if err != nil {
		t.Fatalf("Decode of a record without a body: %v", err)
	}
	if len(r.Body) != 0 {
		t.Errorf("body = %q, want none", r.Body)
	}
}

func TestDecodeIgnoresElementsOfALaterVersion(t *testing.T) {
	t.Parallel()
	for name, later := range map[string]string{
		"an integer":         "07",
		"nested":             "81a16b93010203",
		"a million arrays":   strings.Repeat("91", 1_000_000),
		"nothing that is it": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := envelope.Encode(records["plain"])
			if err != nil {
				t.Fatal(err)
			}
			b[0] = 0x96 // an array of six
			extra, err := hex.DecodeString(later)
			if err != nil {
				t.Fatal(err)
			}
			got, err := envelope.Decode(append(b, extra...))
			if err != nil {
				t.Fatalf("Decode with a sixth element: %v", err)
			}
			if diff := cmp.Diff(records["plain"], got); diff != "" {
				t.Errorf("record differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeNamesWhatItFound(t *testing.T) {
	t.Parallel()
	const head = "95" + "a16f" + "d6ff6922efe1" + "a169" + "a0" // five elements up to the body
	for _, tt := range []struct{ name, hex, want string }{
		{"nothing", "", "array: unexpected EOF"},
		{"a map", "80", "array: MessagePack code 0x80, want an array"},
		{"four elements", "94a16f", "array of 4 elements, want 5 or more"},
		{"stream is a bin", "95c40161", "stream: MessagePack code 0xc4, want a string"},
		{"stream is nil", "95c0", "stream: MessagePack code 0xc0, want a string"},
		{"time is an integer", "95a16f01", "received_at: MessagePack code 0x01, want a timestamp"},
		{"another extension", "95a16fd60100000000", "received_at: "},
		{"body is a string", head + "a162", "body: MessagePack code 0xa1, want a bin"},
		{"body is missing", head, "body: unexpected EOF"},
		{"body is shorter than it says", head + "c40561", "body: length is 5 bytes, but only 1 bytes remain"},
		{"body claims four gigabytes", head + "c6ffffffff61", "body: length is 4294967295 bytes, but only 1 bytes remain"},
		{"bytes after the array", head + "c40161" + "00", "1 bytes after the array"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, err := hex.DecodeString(tt.hex)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := envelope.Decode(b); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Decode(%s) = %v, want an error with %q", tt.hex, err, tt.want)
			}
		})
	}
}

func TestReceivedAtNeedsTheFirst64Bytes(t *testing.T) {
	t.Parallel()
	r := records["key-and-nanoseconds"]
	r.Stream = strings.Repeat("s", 40) // the longest name that streams.json allows
	b, err := envelope.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := envelope.ReceivedAt(b[:64])
	if err != nil || !got.Equal(r.ReceivedAt) {
		t.Errorf("ReceivedAt = %v, %v, want %v", got, err, r.ReceivedAt)
	}
	if _, err := envelope.ReceivedAt(b[:20]); err == nil {
		t.Error("ReceivedAt of 20 bytes: no error")
	}
}

func TestKinesisKey(t *testing.T) {
	t.Parallel()
	if got := (envelope.Record{ID: "id"}).KinesisKey(); got != "id" {
		t.Errorf("without a partition key: %q, want the id", got)
	}
	if got := (envelope.Record{ID: "id", PartitionKey: "k"}).KinesisKey(); got != "k" {
		t.Errorf("with a partition key: %q, want it", got)
	}
}

// A stated length does not cause an allocation before the bytes are read.
func TestDecodeAllocatesNoLengthThatIsAClaim(t *testing.T) { // not parallel: it counts what the process allocates
	const record = "95a16fd6ff00000000a0a0c400"
	for name, hostile := range map[string]string{
		"array of 4 Gi":          "ddffffffff",
		"stream of 4 GiB":        "95dbfffffff0",
		"stream of 64 KiB":       "95daffff",
		"time of 4 GiB":          "95a16fc9fffffff0ff",
		"time of 64 KiB":         "95a16fc8ffffff",
		"time of 255 bytes":      "95a16fc7ffff",
		"id of 4 GiB":            "95a16fd6ff00000000dbfffffff0",
		"partition key of 4 GiB": "95a16fd6ff00000000a0dbfffffff0",
		"body of 4 GiB":          "95a16fd6ff00000000a0a0c6fffffff0",
		"a later element":        strings.Replace(record, "95", "96", 1) + "c6fffffff0",
	} {
		b, err := hex.DecodeString(hostile)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = envelope.Decode(b)
		runtime.ReadMemStats(&after)
		if err == nil && name != "a later element" {
			t.Errorf("%s: Decode(%s) = nil, want an error", name, hostile)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 64<<10 {
			t.Errorf("%s: Decode(%s) allocated %d bytes", name, hostile, took)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, r := range records {
		b, err := envelope.Encode(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0x95, 0xc0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := envelope.Decode(b)
		if err != nil {
			return
		}
		again, err := envelope.Encode(r)
		if err != nil {
			t.Fatalf("Encode of a decoded record: %v", err)
		}
		back, err := envelope.Decode(again)
		if err != nil {
			t.Fatalf("Decode(Encode(Decode(b))): %v", err)
		}
		if diff := cmp.Diff(r, back); diff != "" {
			t.Errorf("Decode(Encode(r)) differs (-want +got):\n%s", diff)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	r := records["plain"]
	r.Body = make([]byte, 1024)
	b.ReportAllocs()
	b.SetBytes(int64(len(r.Body)))
	for b.Loop() {
		if _, err := envelope.Encode(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	r := records["plain"]
	r.Body = make([]byte, 1024)
	encoded, err := envelope.Encode(r)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(r.Body)))
	for b.Loop() {
		if _, err := envelope.Decode(encoded); err != nil {
			b.Fatal(err)
		}
	}
}
