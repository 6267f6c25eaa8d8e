package main

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/data-sink/data-sink/internal/operate/remote"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

func TestStatusShowsTheLagsThatAreKnown(t *testing.T) {
	t.Parallel()
	seconds := func(s float64) *float64 { return &s }
	now := queues{
		at:      time.Now(),
		streams: map[string]queue.State{"orders": {Claims: 1, ClaimedRecords: 5}, "views": {}},
		orphans: map[string]queue.State{"removed": {Depth: 2}},
	}
	healthy := lags{streams: map[string]remote.Lag{
		"orders": {Bridge: seconds(90), Firehose: seconds(61)},
		"views":  {Bridge: seconds(0)}, // CloudWatch has no data point of an empty Firehose.
	}}
	down := lags{err: errors.New("AccessDenied")}
	for _, tt := range []struct {
		behind                        lags
		orders, views, removed, total []string
	}{
		{healthy, []string{"1m30s", "1m01s"}, []string{"0s", "?"}, []string{"-", "-"}, []string{"1m30s", "?"}},
		{down, []string{"?", "?"}, []string{"?", "?"}, []string{"-", "-"}, []string{"?", "?"}},
	} {
		rows := statusOf(now, now, archived{}, tt.behind)
		for i, want := range [][]string{tt.orders, tt.views, tt.removed, tt.total} {
			r := append(rows, totalOf(rows))[i]
			if got := r.cells(now.at)[6:8]; !slices.Equal(got, want) {
				t.Errorf("the lags of %s are %q, want %q", r.Stream, got, want)
			}
		}
		content, err := json.Marshal(rows[1])
		if err != nil {
			t.Fatal(err)
		}
		known := tt.behind.err == nil
		if got := string(content); strings.Contains(got, `"bridgeLagSeconds":0`) != known || strings.Contains(got, "firehoseFreshnessSeconds") {
			t.Errorf("the JSON of views is %s, want the known lags only", got)
		}
		problems := strings.Join(problemsOf("a deployment", now, archived{}, tt.behind), "\n")
		if strings.Contains(problems, "AccessDenied") == known {
			t.Errorf("the problems are %q", problems)
		}
	}
}
