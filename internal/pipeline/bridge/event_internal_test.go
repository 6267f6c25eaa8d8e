package bridge

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

// fields are the fields that decode reads of a record, for comparison.
type fields struct {
	Data, Sequence, ID, Key, ARN string
	Arrival                      time.Time
}

func decodeFields(event []byte) ([]fields, error) {
	records, err := decode(nil, event)
	if err != nil {
		return nil, err
	}
	var list []fields
	for _, r := range records {
		data, err := base64.StdEncoding.DecodeString(string(r.data))
		if err != nil {
			return nil, err
		}
		list = append(list, fields{string(data), string(r.sequence), string(r.id), string(r.key), string(r.arn), r.arrivedAt()})
	}
	return list, nil
}

func TestDecodeAgreesWithTheEventsOfLambda(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/kinesis-event.json")
	if err != nil {
		t.Fatal(err)
	}
	var event events.KinesisEvent
	if err := json.Unmarshal(b, &event); err != nil {
		t.Fatal(err)
	}
	var want []fields
	for _, r := range event.Records {
		arrived := r.Kinesis.ApproximateArrivalTimestamp.Round(time.Millisecond) // it has the precision of a float
		want = append(want, fields{string(r.Kinesis.Data), r.Kinesis.SequenceNumber, r.EventID, r.Kinesis.PartitionKey, r.EventSourceArn, arrived})
	}
	got, err := decodeFields(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 3 {
		t.Errorf("%d records, want 3 as aws-lambda-go has them (-want +got):\n%s", len(got), diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good := `{"Records":[{"kinesis":{"data":"YQ==","sequenceNumber":"1"},"eventSourceARN":"arn"}]}`
	if _, err := decodeFields([]byte(good)); err != nil {
		t.Fatalf("decoding %s: %v", good, err)
	}
	for _, tt := range []struct{ event, want string }{
		{"", "want {"},
		{"[]", "want {"},
		{`"Records"`, "want {"},
		{good[:len(good)-1], "after 1 records: malformed at byte 84 of 84: want }"},
		{good + good, "want the end"},
		{`{"records":[]}`, "want Records"},
		{`{"Records":{}}`, "want ["},
		{`{"Records":[7]}`, "after 0 records: malformed at byte 12 of 15: want {"},
		{`{"Records":[null]}`, "want data, sequence number and stream"},
		{strings.Replace(good, `"YQ=="`, `null`, 1), "want data, sequence number and stream"},
		{strings.Replace(good, `"YQ=="`, `7`, 1), "after 0 records: malformed at byte 31 of "},
		{strings.Replace(good, `"data"`, `"Data"`, 1), "want data, sequence number and stream"},
		{strings.Replace(good, `"1"`, `""`, 1), "want data, sequence number and stream"},
		{strings.Replace(good, `"arn"`, `""`, 1), "want data, sequence number and stream"},
		{strings.Replace(good, `"kinesis":`, `"kinesis"`, 1), "after 0 records: malformed"},
		{strings.Replace(good, `"data":`, `"nested":[[[`, 1), "after 0 records: malformed"},
	} {
		if _, err := decode(nil, []byte(tt.event)); err == nil || !strings.HasPrefix(err.Error(), "decoding event of ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("decode(%s) = %v, want %q in it", tt.event, err, tt.want)
		}
	}
}

func TestArrivalThatCannotBeReadIsUnknown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		"1545084650.987": time.UnixMilli(1545084650987), "1545084650": time.Unix(1545084650, 0), "1.545084650987E9": time.UnixMilli(1545084650987),
		"": {}, "0": {}, "-1": {}, "1e300": {}, `"2026-11-22T23:00:00Z"`: {}, "{}": {},
	} {
		r := record{arrival: []byte(text)}
		if got := r.arrivedAt(); !got.Equal(want) {
			t.Errorf("arrival %s = %v, want %v", text, got, want)
		}
	}
}

// FuzzDecode compares decode with a struct decoder that has the same rules.
func FuzzDecode(f *testing.F) {
	b, err := os.ReadFile("testdata/kinesis-event.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	for _, event := range []string{
		`{}`, `{"Records":null}`, `{"Records":[{"kinesis":{"data":"","sequenceNumber":"1"},"eventSourceARN":"a"}],"Records":[]}`,
		`{"Records":[{"kinesis":{"data":"YQ\u003d=","sequenceNumber":"\u0031","partitionKey":"\ud83d\ude00\ud83d"},"eventSourceARN":"a","eventID":null}]}`,
		`{"Records":[{"kinesis":{"data":"\/\/8=","sequenceNumber":"1"},"eventSourceARN":"a\n"}]}`,
	} {
		f.Add([]byte(event))
	}
	type twin struct {
		Records []struct {
			EventID        string `json:"eventID"`
			EventSourceARN string `json:"eventSourceARN"`
			Kinesis        struct {
				Data           *string        `json:"data"`
				SequenceNumber string         `json:"sequenceNumber"`
				PartitionKey   string         `json:"partitionKey"`
				Arrival        jsontext.Value `json:"approximateArrivalTimestamp"`
			} `json:"kinesis"`
		} `json:"Records"`
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		before := bytes.Clone(event)
		got, gotErr := decodeFields(event)
		if !bytes.Equal(before, event) {
			t.Fatal("decode changed the event")
		}
		if gotErr == nil && !json.Valid(event) {
			t.Fatalf("decode accepts invalid JSON: %q", event)
		}
		var plain twin
		if !utf8.Valid(event) || jsonv2.Unmarshal(event, &plain) != nil {
			return // decode accepts invalid or duplicate names and texts
		}
		var want []fields
		for _, r := range plain.Records {
			if r.Kinesis.Data == nil || r.Kinesis.SequenceNumber == "" || r.EventSourceARN == "" {
				if gotErr == nil {
					t.Fatalf("decode accepts a record without data, sequence number or stream: %q", event)
				}
				return
			}
			data, err := base64.StdEncoding.DecodeString(*r.Kinesis.Data)
			if err != nil {
				return
			}
			arrived := record{arrival: r.Kinesis.Arrival}
			want = append(want, fields{string(data), r.Kinesis.SequenceNumber, r.EventID, r.Kinesis.PartitionKey, r.EventSourceARN, arrived.arrivedAt()})
		}
		if gotErr != nil {
			if plain.Records == nil {
				return // an event without Records
			}
			t.Fatalf("decode(%q): %v", event, gotErr)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("decode(%q) differs (-want +got):\n%s", event, diff)
		}
	})
}
