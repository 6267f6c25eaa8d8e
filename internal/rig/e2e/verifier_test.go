//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/operate/verifier"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

// testVerify deploys the verifier. The verifier must find everything that was sent
// so far, and then an object that exists twice. Then the step removes each
// permission and each variable. The next deployment removes the verifier.
func (d *deployment) testVerify(t *testing.T) {
	d.deploy(t, "verifyHours=1")
	d.awaitLogged(t, slices.Collect(maps.Keys(d.archive.accepted))...)
	answer, i := d.verify(t)
	if i.failure != "" {
		t.Fatalf("%s\n%s", i.failure, i.log)
	}
	for _, s := range d.streams.Streams {
		expected := d.throughFirehose(s.Name)
		if r := answer.Streams[s.Name]; r.Records != expected || r.Differences != 0 {
			t.Errorf("%s: %+v, want the %d records that went through the tap\n%s", s.Name, r, expected, i.log)
		}
	}

	const name = "orders"
	original := d.archivedByFirehose(t, name)
	again := original + "-again"
	d.copyObject(t, original, again)
	began := time.Now()
	answer, i = d.verify(t)
	if i.failure != "" || answer.Streams[name].Differences != 1 {
		t.Errorf("an object that exists twice: %+v %s\n%s", answer.Streams[name], i.failure, i.log)
	}
	await(t, archived, "the log to name the object", func() error {
		// The emulator writes the log some time after the answer.
		if log := d.cloud.log(t, d.outputs.VerifierFunction, began); !strings.Contains(log, "archive_differs") || !strings.Contains(log, again) {
			return fmt.Errorf("it contains:\n%s", log)
		}
		return nil
	})
	if _, err := d.cloud.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &d.archive.name, Key: &again}); err != nil {
		t.Fatal(err)
	}

	probe := func(d *deployment, t *testing.T) error {
		d.restart(t, d.outputs.VerifierFunction, nil)
		if _, i := d.verify(t); i.failure != "" {
			return errors.New(i.failure + "\n" + i.log)
		}
		return nil
	}
	var table []permission
	for _, action := range []string{"lambda:InvokeFunction", "logs:FilterLogEvents", "s3:ListBucket", "s3:GetObject"} {
		table = append(table, permission{action, "", accessDenied, probe})
	}
	d.testPermissions(t, d.outputs.VerifierFunction, table, []unchecked{
		{"s3:PutObject", "_manifests/", "the manifest of a complete hour: no hour of this test is complete"},
	})
	d.testVerifierEnvironment(t)
}

// awaitLogged waits until the logs of the drainer and of the bridge have every record of
// some streams that Firehose archived. The emulator writes a log when the invocation has
// ended, which is after the record is in the archive.
func (d *deployment) awaitLogged(t *testing.T, names ...string) {
	t.Helper()
	await(t, swept, "the logs of the drainer and the bridge", func() error {
		log := d.cloud.log(t, d.outputs.DrainerFunction, time.Unix(0, 0)) + d.cloud.log(t, d.outputs.BridgeFunction, time.Unix(0, 0))
		logged := make(map[string]int)
		for line := range strings.Lines(log) {
			if packed, ok, err := pack.ParseLine([]byte(line)); err != nil {
				t.Fatal(err)
			} else if ok {
				logged[packed.Stream] += packed.Records
			}
		}
		for _, name := range names {
			if want := d.throughFirehose(name); logged[name] != want {
				return fmt.Errorf("they have %d records of %s, want %d", logged[name], name, want)
			}
		}
		return nil
	})
}

// throughFirehose returns the number of accepted records of a stream that are no direct
// records.
func (d *deployment) throughFirehose(name string) int {
	n := 0
	for _, a := range d.archive.accepted[name] {
		if a.reason == "" {
			n++
		}
	}
	return n
}

// verify invokes the verifier for the hours of this test.
func (d *deployment) verify(t *testing.T) (verifier.Answer, invocation) {
	t.Helper()
	now := time.Now().UTC()
	event := fmt.Sprintf(`{"from":%q,"to":%q}`, now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Minute).Format(time.RFC3339))
	i := d.cloud.invoke(t, d.outputs.VerifierFunction, event)
	var answer verifier.Answer
	if i.failure == "" {
		if err := json.Unmarshal(i.answer, &answer); err != nil {
			t.Fatalf("%v: %s", err, i.answer)
		}
	}
	return answer, i
}

// mustBeEqual returns an error if the verifier fails or finds a difference.
func (d *deployment) mustBeEqual(t *testing.T) error {
	t.Helper()
	answer, i := d.verify(t)
	if i.failure != "" {
		return errors.New(i.failure)
	}
	for name, r := range answer.Streams {
		if r.Differences > 0 {
			return fmt.Errorf("%s: %d differences", name, r.Differences)
		}
	}
	return nil
}

// archivedByFirehose returns the key of an object of a stream that Firehose wrote.
func (d *deployment) archivedByFirehose(t *testing.T, name string) string {
	t.Helper()
	objects := d.archive.objects(t, name+"/dt=")
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		if reason, content, err := unpacked(key, objects[key]); err == nil && reason == "" && len(content) > 0 {
			return key
		}
	}
	t.Fatalf("Firehose wrote no object of %s", name)
	return ""
}

func (d *deployment) copyObject(t *testing.T, from, to string) {
	t.Helper()
	_, err := d.cloud.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &d.archive.name, Key: aws.String(to), Body: bytes.NewReader(d.archive.get(t, from))})
	if err != nil {
		t.Fatal(err)
	}
}
