package datasink

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
)

// Limits of CloudWatch.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
const (
	maxWidgets      = 500
	maxGraphMetrics = 500
	maxAlarmsShown  = 100
)

type widget struct {
	Type                string
	X, Y, Width, Height int
	Properties          struct {
		Title, Region, Markdown string
		Alarms                  []string
		Metrics                 [][]any
	}
}

func widgets(t *testing.T, a assembly) []widget {
	t.Helper()
	body := rendered(only(t, a.root, "AWS::CloudWatch::Dashboard").Properties["DashboardBody"])
	var d struct{ Widgets []widget }
	mustJSON(t, body, &d)
	return d.Widgets
}

func TestTheDashboardReadsFromLeftToRight(t *testing.T) {
	all := widgets(t, synth(t, verified, fourStreams))
	var titles []string
	x := -1
	for _, w := range all {
		if w.Type != "text" {
			continue
		}
		if w.X <= x {
			t.Errorf("%q is at %d, left of the column before it", w.Properties.Markdown, w.X)
		}
		x = w.X
		title, _, _ := strings.Cut(w.Properties.Markdown, "\n")
		titles = append(titles, title)
	}
	want := []string{"**1. API**", "**2. Ingest**", "**3. Queue**", "**4. Drainer**", "**5. Bridge**", "**6. Archive**"}
	if diff := cmp.Diff(want, titles); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	for i, w := range all {
		if w.X < 0 || w.X+w.Width > gridWidth {
			t.Errorf("%+v leaves the grid", w)
		}
		for _, other := range all[:i] {
			if w.X < other.X+other.Width && other.X < w.X+w.Width && w.Y < other.Y+other.Height && other.Y < w.Y+w.Height {
				t.Errorf("%q covers %q", w.Properties.Title, other.Properties.Title)
			}
		}
	}
}

func TestTheDashboardShowsMetricsThatExist(t *testing.T) {
	declared := make(map[string]bool)
	for _, m := range metric.All() {
		declared[m.Name] = true
	}
	shown := make(map[string]bool)
	both := append(
		widgets(t, synth(t, map[string]any{"name": "data-sink", "verifyHours": "6"}, fourStreams)),
		widgets(t, synth(t, map[string]any{"name": "data-sink", "redisUrl": "redis://redis"}, fourStreams))...,
	)
	for _, w := range both {
		if w.Type != "metric" {
			continue
		}
		if w.Properties.Region != "${AWS::Region}" || len(w.Properties.Metrics) == 0 || len(w.Properties.Metrics) > maxGraphMetrics {
			t.Errorf("%s: %d metrics of %s", w.Properties.Title, len(w.Properties.Metrics), w.Properties.Region)
		}
		for _, m := range w.Properties.Metrics {
			if expression, ok := at(m[0], "expression").(string); ok {
				for name := range declared {
					if strings.Contains(expression, `{DataSink,Service,Stream} MetricName="`+name+`" Service="data-sink"`) {
						shown[name] = true
					}
				}
				if len(expression) > 1024 || !strings.Contains(expression, "data-sink") && !strings.Contains(expression, " data sink'") {
					t.Errorf("%s: %s", w.Properties.Title, expression)
				}
				continue
			}
			if m[0] != "DataSink" {
				continue
			}
			name := fmt.Sprint(m[1])
			if !declared[name] || m[2] != "Service" || m[3] != "data-sink" {
				t.Errorf("%s: %v", w.Properties.Title, m)
			}
			shown[name] = true
		}
	}
	for name := range declared {
		if !shown[name] {
			t.Errorf("the dashboard has no %s", name)
		}
	}
}

func TestTheDashboardIsTheSameForOneStreamAndForHundreds(t *testing.T) {
	one, hundreds := synth(t, nil, `{"streams": [{"name": "orders"}]}`), synth(t, nil, many(300))
	if diff := cmp.Diff(only(t, one.root, "AWS::CloudWatch::Dashboard").Properties, only(t, hundreds.root, "AWS::CloudWatch::Dashboard").Properties); diff != "" {
		t.Errorf("dashboards differ (-one +hundreds):\n%s", diff)
	}
	if n := len(widgets(t, hundreds)); n > maxWidgets {
		t.Errorf("%d widgets", n)
	}
}

func TestTheDashboardShowsTheAlarmsOfTheDeployment(t *testing.T) {
	for _, context := range []map[string]any{nil, {"cacheShards": "10", "cacheReplicas": "1"}, {"redisUrl": "redis://redis"}} {
		a := synth(t, context, fourStreams)
		var want, got []string
		for id := range ofType(a.root, "AWS::CloudWatch::Alarm") {
			want = append(want, "${"+id+".Arn}")
		}
		for _, w := range widgets(t, a) {
			got = append(got, w.Properties.Alarms...)
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" || len(got) > maxAlarmsShown {
			t.Errorf("%d alarms (-want +got):\n%s", len(got), diff)
		}
	}
}
