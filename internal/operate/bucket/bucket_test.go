package bucket_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/rig/s3test"
	"github.com/google/go-cmp/cmp"
)

// newBucket returns a bucket with those objects.
func newBucket(t *testing.T, contents map[string]string) *bucket.Bucket {
	t.Helper()
	client := s3test.Start(t, s3test.Options{})
	store := archive.NewS3(client, s3test.Bucket)
	for key, body := range contents {
		if err := store.Put(t.Context(), key, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	return bucket.New(client, s3test.Bucket)
}

func TestHoursYieldsTheHoursThatAreTouched(t *testing.T) {
	t.Parallel()
	keys := []string{
		"s/dt=2026-11-20/hour=22/a", "s/dt=2026-11-20/hour=23/a", "s/dt=2026-11-21/hour=00/a", "s/dt=2026-11-21/hour=12/a",
		"s/dt=2026-11-22/hour=00/a", "s/dt=2026-11-22/hour=01/a", "s/dt=2026-11-22/hour=02/a", "s2/dt=2026-11-21/hour=00/a",
	}
	contents := make(map[string]string)
	for _, key := range keys {
		contents[key] = "x"
	}
	b := newBucket(t, contents)
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 11, day, hour, minute, 0, 0, time.UTC) }
	for _, tt := range []struct {
		name       string
		begin, end time.Time
		want       []string
	}{
		{"across days", at(20, 23, 59), at(22, 1, 1), keys[1:6]},
		{"an hour", at(22, 1, 0), at(22, 2, 0), keys[5:6]},
		{"a whole day", at(21, 0, 0), at(22, 0, 0), keys[2:4]},
		{"nothing", at(22, 1, 0), at(22, 1, 0), nil},
		{"in another zone", at(22, 1, 0).In(time.FixedZone("", 3*3600)), at(22, 1, 1), keys[5:6]},
	} {
		var got []string
		for o, err := range b.Hours(t.Context(), "s/", tt.begin, tt.end) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, o.Key)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: keys differ (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestLatestIsTheLastOfTheNewestHour(t *testing.T) {
	t.Parallel()
	b := newBucket(t, map[string]string{"s/dt=2026-11-20/hour=22/b": "old", "s/dt=2026-11-21/hour=03/a": "four", "s/dt=2026-11-21/hour=01/a": "x"})
	latest, ok, err := b.Latest(t.Context(), "s")
	if err != nil || !ok {
		t.Fatalf("Latest = %v, %v, want an object", ok, err)
	}
	if age := time.Since(latest.WrittenAt); age > time.Minute {
		t.Errorf("the latest object was written %v ago, want just now", age)
	}
	if diff := cmp.Diff(bucket.Object{Key: "s/dt=2026-11-21/hour=03/a", Size: 4, WrittenAt: latest.WrittenAt}, latest); diff != "" {
		t.Errorf("latest object differs (-want +got):\n%s", diff)
	}
	if _, ok, err := b.Latest(t.Context(), "none"); ok || err != nil {
		t.Errorf("Latest of an empty stream = %v, %v", ok, err)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	b := newBucket(t, map[string]string{
		"a.gz": s3test.Gzip(t, "one\n") + s3test.Gzip(t, "two\n"), "b.gz": "not compressed", "c.gz": "", "raw": s3test.Gzip(t, "kept"),
	})
	for key, want := range map[string]string{"a.gz": "one\ntwo\n", "b.gz": "not compressed", "c.gz": "", "raw": s3test.Gzip(t, "kept")} {
		r, err := b.OpenPlain(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != want {
			t.Errorf("OpenPlain(%s) reads %q, %v, want %q", key, got, err, want)
		}
		if err := r.Close(); err != nil {
			t.Errorf("closing %s: %v", key, err)
		}
	}
	whole := s3test.Gzip(t, "one\n")
	damaged := newBucket(t, map[string]string{"cut.gz": whole[:len(whole)-3], "sum.gz": whole[:len(whole)-5] + "\x00" + whole[len(whole)-4:], "head.gz": "\x1f\x8bxxxxxxxxxxxx"})
	for _, key := range []string{"cut.gz", "sum.gz", "head.gz"} {
		r, err := damaged.OpenPlain(t.Context(), key)
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if !errors.Is(err, bucket.ErrDamaged) {
			t.Errorf("reading %s: %v, want ErrDamaged", key, err)
		}
	}
	if head, err := b.Head(t.Context(), "b.gz", 3); err != nil || string(head) != "not" {
		t.Errorf("Head = %q, %v", head, err)
	}
	if _, err := b.Open(t.Context(), "absent"); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("Open of an absent object = %v", err)
	}
}

func TestNamesOfKeys(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)
	for _, key := range []string{"s/dt=2026-11-22/hour=23/x", "failed/firehose/s/format-conversion-failed/dt=2026-11-22/hour=23/x"} {
		if got, ok := bucket.Hour(key); !ok || !got.Equal(want) {
			t.Errorf("Hour(%s) = %v, %v", key, got, ok)
		}
	}
	if _, ok := bucket.Hour("aws/lambda/id/shardId-0/2026/11/22/x"); ok {
		t.Error("Hour found an hour that the key does not have")
	}
	for key, want := range map[string]archive.Reason{
		"s/dt=2026-11-22/hour=23/oversize-0.gz": archive.Oversize, "s/fallback-1": archive.Fallback, "s/overflow-2": archive.Overflow, "s/d.s-1-2026": "",
	} {
		if got := bucket.Direct(key); got != want {
			t.Errorf("Direct(%s) = %q, want %q", key, got, want)
		}
	}
}

func TestStartIsTheTimeInTheNameOfFirehose(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]time.Time{
		"orders/dt=2026-11-22/hour=23/d.orders-1-2026-11-22-23-05-10-6138bb82-0241-4993-9413-8f0a1d7d9350.gz":     time.Date(2026, 11, 22, 23, 5, 10, 0, time.UTC),
		"orders/dt=2026-11-22/hour=23/d.a-2026-01-01-12-2026-11-22-23-05-10-6138bb82-0241-4993-9413-8f0a1d7d9350": time.Date(2026, 11, 22, 23, 5, 10, 0, time.UTC),
		"orders/dt=2026-11-22/hour=23/fallback-0193.gz":                                                           {},
		"orders/dt=2026-11-22/hour=23/d.orders-1-2026-11-22-23-65-10-6138bb82-0241-4993-9413-8f0a1d7d9350.gz":     {},
	} {
		got, ok := bucket.Start(key)
		if ok == want.IsZero() || ok && !got.Equal(want) {
			t.Errorf("Start(%q) = %v, %v, want %v", key, got, ok, want)
		}
	}
}
