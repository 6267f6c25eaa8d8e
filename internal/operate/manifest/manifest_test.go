package manifest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/manifest"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/rig/s3test"
)

var hour = time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC)

var errKilled = errors.New("killed")

// mortal is the store of a process that is killed before or after a write.
type mortal struct {
	manifest.Store
	writes int // that are left
	after  bool
}

func (m *mortal) Create(ctx context.Context, key string, body []byte) error {
	if m.writes--; m.writes < 0 {
		if m.after && m.writes == -1 {
			return errors.Join(m.Store.Create(ctx, key, body), errKilled)
		}
		return errKilled
	}
	return m.Store.Create(ctx, key, body)
}

// TestEachObjectIsInOneManifest lets processes write the manifests of an hour at the same
// time. Each sees another number of objects, and is killed after some writes. At the end
// one process runs alone.
func TestEachObjectIsInOneManifest(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 0))
			client := s3test.Start(t, s3test.Options{})
			b, store := bucket.New(client, s3test.Bucket), archive.NewS3(client, s3test.Bucket)
			var objects []manifest.Object
			for i := range 12 {
				objects = append(objects, manifest.Object{Key: fmt.Sprintf("orders/dt=2026-11-22/hour=07/%02d", i), Meta: manifest.Meta{ContentLength: 1, Bodies: 1}})
			}
			run := func(s manifest.Store, n int) error {
				a := &manifest.Archive{Bucket: b, Store: s}
				hours, err := a.Hours(t.Context(), "orders", hour, hour.Add(time.Hour))
				if err != nil {
					return err
				}
				_, err = a.Write(t.Context(), "orders", hour, hours[hour], objects[:n])
				return err
			}
			for range 4 {
				var all sync.WaitGroup
				for range 3 {
					n, s := random.IntN(len(objects)+1), &mortal{store, random.IntN(4), random.IntN(2) == 0}
					all.Go(func() {
						if err := run(s, n); err != nil && !errors.Is(err, errKilled) {
							t.Error(err)
						}
					})
				}
				all.Wait()
			}
			for range 2 {
				if err := run(store, len(objects)); err != nil {
					t.Fatal(err)
				}
			}
			check(t, b, objects)
		})
	}
}

// check compares the manifests with the objects, and each list of URIs with its manifest.
func check(t *testing.T, b *bucket.Bucket, objects []manifest.Object) {
	t.Helper()
	texts, in := make(map[string]string), make(map[string]int)
	for o, err := range b.List(t.Context(), manifest.Folder) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := b.Open(t.Context(), o.Key)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		texts[o.Key] = string(content)
	}
	for key, content := range texts {
		name, isManifest := strings.CutSuffix(key, ".json")
		if !isManifest {
			continue
		}
		var m manifest.Manifest
		if err := json.Unmarshal([]byte(content), &m); err != nil {
			t.Fatal(err)
		}
		list := ""
		for _, e := range m.Entries {
			in[e.URL]++
			list += e.URL + "\n"
		}
		if got, ok := texts[name+".txt"]; !ok || got != list {
			t.Errorf("%s.txt has %q, exists %v, want %q", name, got, ok, list)
		}
	}
	for _, o := range objects {
		if n := in["s3://"+s3test.Bucket+"/"+o.Key]; n != 1 {
			t.Errorf("%s is in %d manifests, want 1", o.Key, n)
		}
	}
	if len(in) != len(objects) {
		t.Errorf("the manifests list %d objects, want %d", len(in), len(objects))
	}
}
