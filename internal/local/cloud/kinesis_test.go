package cloud_test

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

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
	"github.com/google/go-cmp/cmp"
)

// numbered returns entries with the numbers from..to-1 as data, all of one shard.
func numbered(from, to int) []sink.Entry {
	var entries []sink.Entry
	for i := from; i < to; i++ {
		entries = append(entries, sink.Entry{PartitionKey: "k", Data: fmt.Append(nil, i)})
	}
	return entries
}

func TestKinesisKeepsTheLimits(t *testing.T) {
	t.Parallel()
	k := oneShard(t)
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
	for _, n := range []int{1, 2, 3, 4, 7} {
		k := openKinesis(t, n, cloud.KinesisOptions{})
		want := make([][]string, n)
		for i := range 300 {
			key := fmt.Sprint("key-", i)
			sum := md5.Sum([]byte(key))
			at := new(big.Int).Mul(new(big.Int).SetBytes(sum[:]), big.NewInt(int64(n)))
			at.Rsh(at, 128)
			want[at.Int64()] = append(want[at.Int64()], key)
			put(t, k, "s", sink.Entry{PartitionKey: key, Data: []byte(key)})
		}
		for i, id := range shardIDs(t, k) {
			got, _ := contents(t, k, id, "")
			if diff := cmp.Diff(want[i], got); diff != "" {
				t.Errorf("shard %d of %d differs (-want +got):\n%s", i, n, diff)
			}
			if len(got) < 300/n/2 {
				t.Errorf("shard %d of %d has %d of 300 records", i, n, len(got))
			}
		}
	}
}

func TestKinesisThrottlesEachShard(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	k := openKinesis(t, 2, cloud.KinesisOptions{Throttle: true, Now: func() time.Time { return now }})
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
}

func TestKinesisOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := cloud.KinesisOptions{Dir: openRoot(t, dir)}
	first := openKinesis(t, 1, o)
	put(t, first, "s", numbered(0, 100)...)
	_, middle := contents(t, first, shard0, "")
	// The beginning of an append that was interrupted.
	files, err := filepath.Glob(filepath.Join(dir, "s", shard0, "*.spool"))
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

	second := openKinesis(t, 1, o)
	put(t, second, "s", numbered(100, 103)...)
	all, _ := contents(t, second, shard0, "")
	if len(all) != 103 || all[0] != "0" || all[102] != "102" {
		t.Errorf("%d records, %q to %q, want the 103 that were put", len(all), all[0], all[len(all)-1])
	}
	after, _ := contents(t, second, shard0, middle)
	if diff := cmp.Diff([]string{"100", "101", "102"}, after); diff != "" {
		t.Errorf("after the 100th record (-want +got):\n%s", diff)
	}
}

func TestKinesisKeepsTheShardsOfALargerStream(t *testing.T) {
	t.Parallel()
	dir := newRoot(t)
	first := openKinesis(t, 3, cloud.KinesisOptions{Dir: dir})
	for i := range 50 {
		put(t, first, "s", sink.Entry{PartitionKey: fmt.Sprint(i), Data: []byte("old")})
	}
	second := openKinesis(t, 1, cloud.KinesisOptions{Dir: dir})
	for i := range 50 {
		put(t, second, "s", sink.Entry{PartitionKey: fmt.Sprint(i), Data: []byte("new")})
	}
	counts := make([]int, 3)
	for i, id := range shardIDs(t, second) {
		data, _ := contents(t, second, id, "")
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
