package local_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/local"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/google/go-cmp/cmp"
)

func openKinesis(tb testing.TB, o local.KinesisOptions) *local.Kinesis {
	tb.Helper()
	k, err := local.OpenKinesis(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := k.Close(); err != nil {
			tb.Error(err)
		}
	})
	return k
}

// put puts entries, all of which must be taken.
func put(tb testing.TB, s sink.Service, stream string, entries ...sink.Entry) {
	tb.Helper()
	for chunk := range slices.Chunk(entries, 500) {
		failures, err := s.Put(tb.Context(), stream, chunk)
		if err != nil || len(failures) > 0 {
			tb.Fatalf("Put(%d entries) = %v, %v, want all taken", len(chunk), failures, err)
		}
	}
}

// numbered returns entries with the numbers from..to-1 as data, all of one shard.
func numbered(from, to int) []sink.Entry {
	var entries []sink.Entry
	for i := from; i < to; i++ {
		entries = append(entries, sink.Entry{PartitionKey: "k", Data: fmt.Append(nil, i)})
	}
	return entries
}

// contents reads what is in a shard after a sequence number.
func contents(tb testing.TB, k *local.Kinesis, stream, shard, after string) (data []string, last string) {
	tb.Helper()
	it, err := k.Iterate(stream, shard, after)
	if err != nil {
		tb.Fatal(err)
	}
	defer it.Close()
	for {
		r, ok, err := it.Next()
		if err != nil {
			tb.Fatal(err)
		}
		if !ok {
			return data, last
		}
		if r.SequenceNumber <= last || len(r.SequenceNumber) != 56 {
			tb.Errorf("sequence number %q after %q: want 56 digits that grow", r.SequenceNumber, last)
		}
		data, last = append(data, string(r.Data)), r.SequenceNumber
	}
}

const shard0 = "shardId-000000000000"

func TestKinesisKeepsTheLimits(t *testing.T) {
	t.Parallel()
	k := openKinesis(t, local.KinesisOptions{Dir: t.TempDir(), Shards: map[string]int{"s": 1}})
	sized := func(n, size int) []sink.Entry {
		return slices.Repeat([]sink.Entry{{PartitionKey: "k", Data: make([]byte, size-1)}}, n)
	}
	for name, tt := range map[string]struct {
		entries []sink.Entry
		invalid bool
	}{
		"no record":            {entries: nil, invalid: true},
		"500 records":          {entries: sized(500, 1)},
		"501 records":          {entries: sized(501, 1), invalid: true},
		"record of 1 MiB":      {entries: sized(1, 1<<20)},
		"record over 1 MiB":    {entries: sized(1, 1<<20+1), invalid: true},
		"call of 5 MiB":        {entries: sized(5, 1<<20)},
		"call over 5 MiB":      {entries: append(sized(5, 1<<20), sized(1, 1)...), invalid: true},
		"no key":               {entries: []sink.Entry{{Data: []byte("a")}}, invalid: true},
		"256 characters":       {entries: []sink.Entry{{PartitionKey: strings.Repeat("é", 256)}}},
		"257 characters":       {entries: []sink.Entry{{PartitionKey: strings.Repeat("a", 257)}}, invalid: true},
		"one of many is wrong": {entries: append(sized(10, 1), sink.Entry{Data: []byte("a")}), invalid: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failures, err := k.Put(t.Context(), "s", tt.entries)
			if got := errors.Is(err, sink.ErrInvalid); got != tt.invalid || len(failures) > 0 {
				t.Errorf("Put = %v, %v, want invalid %v", failures, err, tt.invalid)
			}
		})
	}
	if _, err := k.Put(t.Context(), "other", sized(1, 1)); err == nil || errors.Is(err, sink.ErrInvalid) || errors.Is(err, sink.ErrThrottled) {
		t.Errorf("Put to a stream that is not there = %v, want an error to be retried", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Put(ended, "s", sized(1, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Put under an ended context = %v", err)
	}
}

// The shard of a key is the one in whose part of the hash range its MD5 lies.
func TestKinesisShardsByTheKey(t *testing.T) {
	t.Parallel()
	for _, shards := range []int{1, 2, 3, 4, 7} {
		k := openKinesis(t, local.KinesisOptions{Dir: t.TempDir(), Shards: map[string]int{"s": shards}})
		want := make([][]string, shards)
		for i := range 300 {
			key := fmt.Sprint("key-", i)
			sum := md5.Sum([]byte(key))
			at := new(big.Int).Mul(new(big.Int).SetBytes(sum[:]), big.NewInt(int64(shards)))
			at.Rsh(at, 128)
			want[at.Int64()] = append(want[at.Int64()], key)
			put(t, k, "s", sink.Entry{PartitionKey: key, Data: []byte(key)})
		}
		for i, id := range k.ShardIDs("s") {
			got, _ := contents(t, k, "s", id, "")
			if diff := cmp.Diff(want[i], got); diff != "" {
				t.Errorf("shard %d of %d differs (-want +got):\n%s", i, shards, diff)
			}
			if len(got) < 300/shards/2 {
				t.Errorf("shard %d of %d has %d of 300 records", i, shards, len(got))
			}
		}
	}
}

func TestKinesisThrottlesEachShard(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	k := openKinesis(t, local.KinesisOptions{
		Dir: t.TempDir(), Shards: map[string]int{"s": 2}, Throttle: true, Now: func() time.Time { return now },
	})
	// "a" and "b" hash to different halves of the range.
	refused := func(key string, n, size int) int {
		count := 0
		for range n {
			failures, err := k.Put(t.Context(), "s", []sink.Entry{{PartitionKey: key, Data: make([]byte, size-1)}})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range failures {
				if f.Index != 0 || !errors.Is(f.Err, sink.ErrThrottled) {
					t.Fatalf("failure %+v, want entry 0 throttled", f)
				}
				count++
			}
		}
		return count
	}
	if got := refused("a", 1100, 10); got != 100 {
		t.Errorf("%d of 1,100 records refused, want 100", got)
	}
	if got := refused("b", 10, 10); got != 0 {
		t.Errorf("%d of 10 records of the other shard refused", got)
	}
	now = now.Add(time.Second)
	if got := refused("a", 30, 100<<10); got != 20 {
		t.Errorf("%d of 30 records of 100 KiB refused, want 20", got)
	}
	now = now.Add(500 * time.Millisecond)
	if got := refused("a", 10, 100<<10); got != 5 {
		t.Errorf("%d of 10 records of 100 KiB refused half a second later, want 5", got)
	}
	taken, _ := contents(t, k, "s", k.ShardIDs("s")[0], "")
	other, _ := contents(t, k, "s", k.ShardIDs("s")[1], "")
	if got, want := len(taken)+len(other), 1000+10+10+5; got != want {
		t.Errorf("%d records in the stream, want %d", got, want)
	}
}

func TestKinesisOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	o := local.KinesisOptions{Dir: t.TempDir(), Shards: map[string]int{"s": 1}}
	first := openKinesis(t, o)
	put(t, first, "s", numbered(0, 100)...)
	_, middle := contents(t, first, "s", shard0, "")
	// An append that the kernel was not given whole.
	files, err := filepath.Glob(filepath.Join(o.Dir, "s", shard0, "*.spool"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	f, err := os.OpenFile(files[0], os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("\x00\x00\x00\x20\x01\x02\x03\x04half of it")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	second := openKinesis(t, o)
	put(t, second, "s", numbered(100, 103)...)
	all, _ := contents(t, second, "s", shard0, "")
	if len(all) != 103 || all[0] != "0" || all[102] != "102" {
		t.Errorf("%d records, %q to %q, want the 103 that were put", len(all), all[0], all[len(all)-1])
	}
	after, _ := contents(t, second, "s", shard0, middle)
	if diff := cmp.Diff([]string{"100", "101", "102"}, after); diff != "" {
		t.Errorf("after the 100th record (-want +got):\n%s", diff)
	}
}

func TestKinesisKeepsTheShardsOfALargerStream(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := openKinesis(t, local.KinesisOptions{Dir: dir, Shards: map[string]int{"s": 3}})
	for i := range 50 {
		put(t, first, "s", sink.Entry{PartitionKey: fmt.Sprint(i), Data: []byte("old")})
	}
	second := openKinesis(t, local.KinesisOptions{Dir: dir, Shards: map[string]int{"s": 1}})
	for i := range 50 {
		put(t, second, "s", sink.Entry{PartitionKey: fmt.Sprint(i), Data: []byte("new")})
	}
	counts := make([]int, 3)
	for i, id := range second.ShardIDs("s") {
		data, _ := contents(t, second, "s", id, "")
		for _, d := range data {
			if d == "new" && i > 0 {
				t.Errorf("shard %d of 1 got a record", i)
			}
		}
		counts[i] = len(data)
	}
	if got := counts[0] + counts[1] + counts[2]; got != 100 || counts[0] <= 50 {
		t.Errorf("records in shards: %v, want 100 in all", counts)
	}
}

func TestIteratorWaitsForMore(t *testing.T) {
	t.Parallel()
	k := openKinesis(t, local.KinesisOptions{Dir: t.TempDir(), Shards: map[string]int{"s": 1}})
	it, err := k.Iterate("s", shard0, "")
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	grown := it.Grown()
	if _, ok, err := it.Next(); ok || err != nil {
		t.Fatalf("Next of an empty shard = %v, %v", ok, err)
	}
	go func() { _, _ = k.Put(context.WithoutCancel(t.Context()), "s", numbered(7, 8)) }()
	<-grown
	if r, ok, err := it.Next(); !ok || err != nil || string(r.Data) != "7" || r.PartitionKey != "k" || time.Since(r.ArrivedAt) > time.Minute {
		t.Errorf("Next = %+v, %v, %v", r, ok, err)
	}
	if _, err := k.Iterate("s", "shardId-000000000009", ""); err == nil {
		t.Error("Iterate of a shard that is not there: no error")
	}
	if _, err := k.Iterate("s", shard0, "12"); err == nil {
		t.Error("Iterate after a malformed sequence number: no error")
	}
}
