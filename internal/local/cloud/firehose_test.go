package cloud_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
	"github.com/data-sink/data-sink/internal/rig/s3test"
	"github.com/google/go-cmp/cmp"
)

// openFirehose returns a Firehose with the delivery stream "s" of the stream orders.
func openFirehose(tb testing.TB, d cloud.DeliveryStream, o cloud.FirehoseOptions) *cloud.Firehose {
	tb.Helper()
	if d.Gzip {
		d.Suffix = ".gz"
	}
	d.Folder = stream.Stream{Name: "orders"}.Folder
	o.Log = quiet
	h := cloud.NewFirehose(o)
	if err := h.Open("s", d); err != nil {
		tb.Fatal(err)
	}
	return h
}

func flush(tb testing.TB, h *cloud.Firehose) {
	tb.Helper()
	if err := h.Flush(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

func data(bodies ...string) []sink.Entry {
	entries := make([]sink.Entry, len(bodies))
	for i, body := range bodies {
		entries[i].Data = []byte(body)
	}
	return entries
}

func TestFirehoseKeepsTheLimits(t *testing.T) {
	t.Parallel()
	f, _ := openBucket(t)
	h := openFirehose(t, cloud.DeliveryStream{BufferBytes: 64 << 20, BufferFor: time.Hour}, cloud.FirehoseOptions{Dir: newRoot(t), Write: f.Write})
	sized := func(n, size int) []sink.Entry { return slices.Repeat([]sink.Entry{{Data: make([]byte, size)}}, n) }
	for name, tt := range map[string]struct {
		entries []sink.Entry
		invalid bool
	}{
		"no record":                   {entries: nil, invalid: true},
		"500 records":                 {entries: sized(500, 1)},
		"501 records":                 {entries: sized(501, 1), invalid: true},
		"record of 1,000 KiB":         {entries: sized(1, 1_024_000)},
		"record over 1,000 KiB":       {entries: sized(1, 1_024_001), invalid: true},
		"call of 4 MiB":               {entries: sized(8, 512<<10)},
		"call over 4 MiB":             {entries: append(sized(8, 512<<10), sized(1, 1)...), invalid: true},
		"empty record among the rest": {entries: append(sized(1, 0), sized(2, 1)...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failures, err := h.Put(t.Context(), "s", tt.entries)
			if got := errors.Is(err, sink.ErrInvalid); got != tt.invalid || len(failures) > 0 {
				t.Errorf("Put = %v, %v, want invalid %v", failures, err, tt.invalid)
			}
		})
	}
	if _, err := h.Put(t.Context(), "other", sized(1, 1)); err == nil || errors.Is(err, sink.ErrInvalid) {
		t.Errorf("Put to a stream that is not there = %v, want an error to be retried", err)
	}
}

func TestFirehoseJoinsRecordsIntoObjects(t *testing.T) {
	t.Parallel()
	for _, compressed := range []bool{false, true} {
		f, root := openBucket(t)
		h := openFirehose(t, cloud.DeliveryStream{Gzip: compressed, BufferBytes: 64 << 20, BufferFor: time.Hour}, cloud.FirehoseOptions{Dir: newRoot(t), Write: f.Write})
		put(t, h, "s", data("a\n", "", "b\n")...)
		put(t, h, "s", data("\x00\xff")...)
		flush(t, h)
		flush(t, h) // Nothing is left: no second object.
		got := s3test.Objects(t, root)
		if s3test.Joined(got) != "a\nb\n\x00\xff" || len(got) != 1 {
			t.Errorf("objects %q", got)
		}
		form := `^orders/dt=\d{4}-\d\d-\d\d/hour=\d\d/s-1-\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-[0-9a-f-]{36}`
		if compressed {
			form += `\.gz`
		}
		for key := range got {
			if !regexp.MustCompile(form + "$").MatchString(key) {
				t.Errorf("key %q, want %s", key, form)
			}
		}
	}
}

func TestFirehoseWritesByAgeAndBySize(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, root := openBucket(t)
		const age = 300 * time.Millisecond
		h := openFirehose(t, cloud.DeliveryStream{BufferBytes: 1000, BufferFor: age}, cloud.FirehoseOptions{Dir: newRoot(t), Write: f.Write})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go h.Run(ctx)
		wantObjects := func(when string, want int) {
			t.Helper()
			synctest.Wait()
			if got := len(s3test.Objects(t, root)); got != want {
				t.Errorf("%d objects %s, want %d", got, when, want)
			}
		}

		put(t, h, "s", data("young")...)
		time.Sleep(age - time.Millisecond)
		put(t, h, "s", data(" and younger")...)
		wantObjects("before the first record is old", 0)
		time.Sleep(time.Millisecond)
		wantObjects("when the first record is old", 1)
		for range 4 {
			put(t, h, "s", data(strings.Repeat("x", 400))...)
		}
		wantObjects("when a buffer is full", 2)
		time.Sleep(age)
		wantObjects("when the rest is old", 3)
		if got := len(s3test.Joined(s3test.Objects(t, root))); got != 17+1600 {
			t.Errorf("the objects have %d bytes, want the %d of the records", got, 17+1600)
		}
	})
}

func TestFirehoseOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	f, root := openBucket(t)
	dir := t.TempDir()
	slow := cloud.DeliveryStream{Gzip: true, BufferBytes: 64 << 20, BufferFor: time.Hour}
	put(t, openFirehose(t, slow, cloud.FirehoseOptions{Dir: openRoot(t, dir), Write: f.Write}), "s", data("one\n", "two\n")...)
	// The beginning of a call that was interrupted.
	files, err := filepath.Glob(filepath.Join(dir, "s", "*.buffer"))
	if err != nil || len(files) != 1 {
		t.Fatalf("buffers %v, %v", files, err)
	}
	before, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	torn := append(bytes.Clone(before), "\x00\x00\x00\x20\x01\x02\x03\x04half"...)
	if err := os.WriteFile(files[0], torn, 0o600); err != nil {
		t.Fatal(err)
	}

	flush(t, openFirehose(t, slow, cloud.FirehoseOptions{Dir: openRoot(t, dir), Write: f.Write}))
	want := s3test.Objects(t, root)
	if s3test.Joined(want) != "one\ntwo\n" || len(want) != 1 {
		t.Fatalf("objects %q", want)
	}
	// Killed after the object was written and before its buffer was removed.
	if err := os.WriteFile(files[0], before, 0o600); err != nil {
		t.Fatal(err)
	}
	flush(t, openFirehose(t, slow, cloud.FirehoseOptions{Dir: openRoot(t, dir), Write: f.Write}))
	if diff := cmp.Diff(want, s3test.Objects(t, root)); diff != "" {
		t.Errorf("objects differ after the second delivery (-want +got):\n%s", diff)
	}
	// Killed before anything was whole.
	if err := os.WriteFile(files[0], torn[:5], 0o600); err != nil {
		t.Fatal(err)
	}
	flush(t, openFirehose(t, slow, cloud.FirehoseOptions{Dir: openRoot(t, dir), Write: f.Write}))
	if left, _ := filepath.Glob(filepath.Join(dir, "s", "*")); len(left) > 0 || len(s3test.Objects(t, root)) != 1 {
		t.Errorf("left %v and objects %q", left, s3test.Objects(t, root))
	}
}

func TestFirehoseWritesAgainWhatFailed(t *testing.T) {
	t.Parallel()
	f, root := openBucket(t)
	var calls atomic.Int32
	h := openFirehose(t, cloud.DeliveryStream{BufferBytes: 1 << 20, BufferFor: time.Millisecond}, cloud.FirehoseOptions{
		Dir: newRoot(t),
		Write: func(ctx context.Context, key string, write func(io.Writer) error) error {
			switch calls.Add(1) {
			case 1:
				return errors.New("S3 is unreachable")
			case 2: // The object is there, and the answer is lost.
				return errors.Join(f.Write(ctx, key, write), errors.New("S3 timed out"))
			}
			return f.Write(ctx, key, write)
		},
	})
	put(t, h, "s", data("kept\n")...)
	if err := h.Flush(t.Context()); err == nil {
		t.Error("Flush = nil while S3 is unreachable")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); h.Run(ctx) }()
	waitFor(t, "the third delivery", func() bool { return calls.Load() == 3 })
	cancel()
	<-ended
	flush(t, h)
	if got := s3test.Objects(t, root); s3test.Joined(got) != "kept\n" || len(got) != 1 {
		t.Errorf("objects %q, want one", got)
	}
}
