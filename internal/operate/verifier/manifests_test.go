package verifier_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/manifest"
	"github.com/data-sink/data-sink/internal/operate/verifier"
	"github.com/data-sink/data-sink/internal/rig/s3test"
	"github.com/google/go-cmp/cmp"
)

// listed is a healthy world whose verifier writes manifests.
func listed(t *testing.T) *world {
	t.Helper()
	w := healthy(t)
	w.config.Manifests = &manifest.Archive{Bucket: w.config.Objects, Store: w.store}
	return w
}

func (w *world) verify() {
	w.t.Helper()
	if _, err := w.invoke(w.t.Context(), scheduled); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(key string) []byte {
	w.t.Helper()
	out, err := w.client.GetObject(w.t.Context(), &s3.GetObjectInput{Bucket: aws.String(s3test.Bucket), Key: &key})
	if err != nil {
		w.t.Fatalf("reading %s: %v", key, err)
	}
	defer func() { _ = out.Body.Close() }()
	var b bytes.Buffer
	if _, err := b.ReadFrom(out.Body); err != nil {
		w.t.Fatal(err)
	}
	return b.Bytes()
}

// names are the manifests of an hour of orders.
func (w *world) names(hour time.Time) []string {
	w.t.Helper()
	folder := hour.Format("_manifests/orders/dt=2006-01-02/")
	var names []string
	for o, err := range bucket.New(w.client, s3test.Bucket).List(w.t.Context(), folder+hour.Format("hour=15")) {
		if err != nil {
			w.t.Fatal(err)
		}
		names = append(names, strings.TrimPrefix(o.Key, folder+hour.Format("hour=15")))
	}
	return names
}

func (w *world) manifest(suffix string) manifest.Manifest {
	w.t.Helper()
	var m manifest.Manifest
	if err := json.Unmarshal(w.read(base.Format("_manifests/orders/dt=2006-01-02/hour=15")+suffix), &m); err != nil {
		w.t.Fatal(err)
	}
	return m
}

func urls(m manifest.Manifest) []string {
	list := []string{}
	for _, e := range m.Entries {
		list = append(list, strings.TrimPrefix(e.URL, "s3://"+s3test.Bucket+"/"))
	}
	return list
}

func TestACompleteHourGetsAManifest(t *testing.T) {
	t.Parallel()
	w := listed(t)
	w.verify()
	w.verify() // and nothing more
	if diff := cmp.Diff([]string{".json", ".txt"}, w.names(base)); diff != "" {
		t.Errorf("manifests differ (-want +got):\n%s", diff)
	}
	m := w.manifest(".json")
	object := func(n int, lines int64, first, last int) manifest.Entry {
		stored := w.read(key("orders", n))
		sum := sha256.Sum256(stored)
		at := func(second int) time.Time { return base.Add(time.Duration(second) * time.Second) }
		return manifest.Entry{URL: "s3://archive/" + key("orders", n), Mandatory: true, Meta: manifest.Meta{
			ContentLength: int64(len(stored)), RecordCount: &lines, Bodies: lines, SHA256: hex.EncodeToString(sum[:]), FirstLoggedAt: at(first), LastLoggedAt: at(last),
		}}
	}
	entries := []manifest.Entry{object(0, 3, 1, 2), object(1, 2, 3, 3)}
	total := int64(5)
	want := manifest.Manifest{
		Entries: entries, Author: manifest.Author{Name: "Data Sink", Version: "1"}, Stream: "orders", Hour: base, VerifiedAt: m.VerifiedAt,
		Meta: manifest.Meta{
			ContentLength: entries[0].Meta.ContentLength + entries[1].Meta.ContentLength, RecordCount: &total, Bodies: 5,
			FirstLoggedAt: entries[0].Meta.FirstLoggedAt, LastLoggedAt: entries[1].Meta.LastLoggedAt,
		},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("manifest differs (-want +got):\n%s", diff)
	}
	list := "s3://archive/" + key("orders", 0) + "\ns3://archive/" + key("orders", 1) + "\n"
	if got := string(w.read(base.Format("_manifests/orders/dt=2006-01-02/hour=15.txt"))); got != list {
		t.Errorf("list of URIs %q, want %q", got, list)
	}
	// The hours before have no objects: a sensor must not wait for ever.
	if diff := cmp.Diff([]string{".json", ".txt"}, w.names(base.Add(-3*time.Hour))); diff != "" {
		t.Errorf("manifests of an hour without objects differ (-want +got):\n%s", diff)
	}
}

func TestALateObjectGetsAManifestOfItsOwn(t *testing.T) {
	t.Parallel()
	w := listed(t)
	w.verify()
	w.write(key("orders", 2), w.bridged("orders", "late\n"))
	w.verify()
	w.write(key("orders", 3), w.bridged("orders", "later\n"))
	w.verify()
	if diff := cmp.Diff([]string{".json", ".late-1.json", ".late-1.txt", ".late-2.json", ".late-2.txt", ".txt"}, w.names(base)); diff != "" {
		t.Errorf("manifests differ (-want +got):\n%s", diff)
	}
	for suffix, want := range map[string][]string{
		".json": {key("orders", 0), key("orders", 1)}, ".late-1.json": {key("orders", 2)}, ".late-2.json": {key("orders", 3)},
	} {
		if diff := cmp.Diff(want, urls(w.manifest(suffix))); diff != "" {
			t.Errorf("objects of %s differ (-want +got):\n%s", suffix, diff)
		}
	}
}

func TestAnHourWithADifferenceGetsItsManifestLater(t *testing.T) {
	t.Parallel()
	w := listed(t)
	w.bridged("orders", "not archived yet\n")
	w.verify()
	if names := w.names(base); len(names) != 0 {
		t.Errorf("manifests %v of an hour with a difference, want none", names)
	}
	if diff := cmp.Diff([]string{".json", ".txt"}, w.names(base.Add(-time.Hour))); diff != "" {
		t.Errorf("manifests of the hour before differ (-want +got):\n%s", diff)
	}
	w.write(key("orders", 2), []byte("not archived yet\n"))
	event := `{"scheduledAt":"` + base.Add(165*time.Minute).Format(time.RFC3339) + `"}`
	if _, err := w.invoke(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{key("orders", 0), key("orders", 1), key("orders", 2)}, urls(w.manifest(".json"))); diff != "" {
		t.Errorf("objects differ (-want +got):\n%s", diff)
	}
}

// TestOnlyASettledHourGetsAManifest asks for hours that have not been over for Lag, as the
// window and as hours before the window.
func TestOnlyASettledHourGetsAManifest(t *testing.T) {
	t.Parallel()
	hour := func(n int) string { return base.Add(time.Duration(n) * time.Hour).Format(time.RFC3339) }
	for _, event := range []string{
		fmt.Sprintf(`{"from":%q,"to":%q}`, hour(0), hour(1)),
		fmt.Sprintf(`{"from":%q,"to":%q}`, hour(0), hour(3)),
		fmt.Sprintf(`{"from":%q,"to":%q}`, hour(1), hour(2)),
		fmt.Sprintf(`{"scheduledAt":%q}`, hour(2)),
	} {
		w := listed(t)
		for _, tt := range []struct {
			now  time.Duration
			want []string
		}{
			{30 * time.Minute, nil}, {time.Hour + verifier.Lag - time.Second, nil}, {time.Hour + verifier.Lag, []string{".json", ".txt"}},
		} {
			w.config.Now = func() time.Time { return base.Add(tt.now) }
			if _, err := w.invoke(t.Context(), event); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, w.names(base)); diff != "" {
				t.Errorf("%s, %v after the hour began: manifests differ (-want +got):\n%s", event, tt.now, diff)
			}
			if names := w.names(base.Add(time.Hour)); len(names) > 0 {
				t.Errorf("%s, %v after the hour began: manifests %v of the next hour", event, tt.now, names)
			}
		}
		if diff := cmp.Diff([]string{key("orders", 0), key("orders", 1)}, urls(w.manifest(".json"))); diff != "" {
			t.Errorf("%s: objects differ (-want +got):\n%s", event, diff)
		}
	}
}

// TestAVerifierThatWasKilledIsCompleted has a manifest without its list of URIs.
func TestAVerifierThatWasKilledIsCompleted(t *testing.T) {
	t.Parallel()
	w := listed(t)
	w.verify()
	list := base.Format("_manifests/orders/dt=2006-01-02/hour=15.txt")
	want := w.read(list)
	w.remove(list)
	w.verify()
	if got := w.read(list); !bytes.Equal(got, want) {
		t.Errorf("list of URIs %q, want %q", got, want)
	}
}

func TestTwoVerifiersAtOnceListEachObjectOnce(t *testing.T) {
	t.Parallel()
	w := listed(t)
	var both sync.WaitGroup
	for range 2 {
		config := w.config
		both.Go(func() {
			if _, err := verifier.New(config).Invoke(t.Context(), []byte(scheduled)); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if diff := cmp.Diff([]string{".json", ".txt"}, w.names(base)); diff != "" {
		t.Errorf("manifests differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{key("orders", 0), key("orders", 1)}, urls(w.manifest(".json"))); diff != "" {
		t.Errorf("objects differ (-want +got):\n%s", diff)
	}
}
