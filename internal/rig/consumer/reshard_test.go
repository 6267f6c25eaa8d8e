package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// resharded is a Kinesis stream whose shard s0 was split into s1 and s2, of which s2 was
// merged with s3 into s4. ListShards returns one shard a page, and GetRecords one record.
// The sequence number of a record is its position in the shard, from 1 on.
type resharded struct {
	mu      sync.Mutex
	records map[string][]string
	reads   int
}

var parents = map[string][]string{"s4": {"s2", "s3"}, "s3": {}, "s2": {"s0"}, "s1": {"s0"}, "s0": {}}

func (k *resharded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var in struct{ NextToken, ShardID, ShardIterator, StartingSequenceNumber, StreamName string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	out := map[string]any{}
	switch _, call, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); call {
	case "ListShards":
		names := []string{"s4", "s3", "s2", "s1", "s0"} // children first
		at := slices.Index(names, in.NextToken)
		if at < 0 {
			at = 0
		}
		shard := map[string]any{
			"ShardId": names[at], "HashKeyRange": map[string]string{"StartingHashKey": "0", "EndingHashKey": "1"}, "SequenceNumberRange": map[string]string{"StartingSequenceNumber": "1"},
		}
		for i, parent := range parents[names[at]] {
			shard[[]string{"ParentShardId", "AdjacentParentShardId"}[i]] = parent
		}
		out["Shards"] = []any{shard}
		if at+1 < len(names) {
			out["NextToken"] = names[at+1]
		}
	case "GetShardIterator":
		out["ShardIterator"] = in.ShardID + ":" + in.StartingSequenceNumber
	case "GetRecords":
		k.reads++
		if problem := map[int]string{2: "ExpiredIteratorException", 4: "ProvisionedThroughputExceededException"}[k.reads]; problem != "" {
			w.WriteHeader(http.StatusBadRequest)
			out["__type"] = problem
			break
		}
		shard, position, _ := strings.Cut(in.ShardIterator, ":")
		n, _ := strconv.Atoi(position) // empty is 0
		out["Records"], out["MillisBehindLatest"] = []any{}, 0
		if n < len(k.records[shard]) {
			out["Records"] = []any{map[string]any{"Data": []byte(k.records[shard][n]), "PartitionKey": shard, "SequenceNumber": strconv.Itoa(n + 1)}}
			n++
		}
		if isClosed := shard == "s0" || shard == "s2" || shard == "s3"; !isClosed || n < len(k.records[shard]) {
			out["NextShardIterator"] = fmt.Sprintf("%s:%d", shard, n)
		}
	}
	_ = json.NewEncoder(w).Encode(out) // The consumer may be gone.
}

// TestConsumersFollowResharding holds that each record is printed once, the records of
// parents before the records of their children, and that a second run continues.
func TestConsumersFollowResharding(t *testing.T) {
	t.Parallel()
	for name, command := range programs(t, ".", "consumer.py") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := &resharded{records: make(map[string][]string)}
			var want []string
			for shard := range parents {
				k.records[shard] = []string{"first", "second"}
				want = append(want, shard+" first", shard+" second")
			}
			server := httptest.NewServer(k)
			t.Cleanup(server.Close)
			dir := t.TempDir()
			lines := consume(t, command, dir, server.URL, 10, map[string]string{"s0": finished, "s1": "2", "s2": finished, "s3": finished, "s4": "2"})
			for child, of := range parents {
				for _, parent := range of {
					if slices.Index(lines, child+" first") < slices.Index(lines, parent+" second") {
						t.Errorf("the consumer printed %q, want %s before %s", lines, parent, child)
					}
				}
			}
			slices.Sort(lines)
			slices.Sort(want)
			if !slices.Equal(lines, want) {
				t.Errorf("the consumer printed %q, want each record once", lines)
			}
			k.mu.Lock()
			k.records["s4"] = append(k.records["s4"], "third")
			k.mu.Unlock()
			again := consume(t, command, dir, server.URL, 1, map[string]string{"s0": finished, "s1": "2", "s2": finished, "s3": finished, "s4": "3"})
			if !slices.Equal(again, []string{"s4 third"}) {
				t.Errorf("the second run printed %q, want only the new record", again)
			}
		})
	}
}
