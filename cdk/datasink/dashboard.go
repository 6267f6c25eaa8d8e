package datasink

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
)

// stage is a column of the dashboard: a part of the pipeline with graphs of its
// throughput, its latency and its errors.
type stage struct {
	title, means string
	graphs       [3]graph
}

type graph struct {
	title string
	lines []any
}

// Sizes in the grid, which has 24 columns.
const (
	gridWidth   = 24
	alarmHeight = 3
	textHeight  = 2
	graphHeight = 5
)

// newDashboard declares a dashboard that shows the pipeline from left to right, and the
// streams and the functions below it, and returns its URL in the console. A graph finds
// its streams by SEARCH and shows the ten with the highest values, so a new stream does
// not change the dashboard.
func newDashboard(stack awscdk.Stack, w watched, alarms []*string) *string {
	var widgets []any
	add := func(kind string, x, y, width, height int, properties map[string]any) {
		widgets = append(widgets, map[string]any{"type": kind, "x": x, "y": y, "width": width, "height": height, "properties": properties})
	}
	plot := func(x, y, width int, g graph) {
		add("metric", x, y, width, graphHeight, map[string]any{
			"title": g.title, "region": stack.Region(), "view": "timeSeries", "stacked": false, "period": minute, "metrics": g.lines,
		})
	}
	add("alarm", 0, 0, gridWidth, alarmHeight, map[string]any{"title": "Alarms of the deployment", "alarms": alarms})
	y := alarmHeight
	stages := w.stages()
	width := gridWidth / len(stages)
	for i, s := range stages {
		add("text", i*width, y, width, textHeight, map[string]any{"markdown": fmt.Sprintf("**%d. %s**\n\n%s", i+1, s.title, s.means)})
		for row, g := range s.graphs {
			plot(i*width, y+textHeight+row*graphHeight, width, g)
		}
	}
	y += textHeight + len(stages[0].graphs)*graphHeight
	for _, row := range [][]graph{w.streamGraphs(), w.functionGraphs()} {
		width = gridWidth / len(row)
		for i, g := range row {
			plot(i*width, y, width, g)
		}
		y += graphHeight
	}
	// The names of dashboards are shared by all Regions.
	name := joined(jsii.String(w.Name+"-"), stack.Region())
	awscloudwatch.NewCfnDashboard(stack, jsii.String("Dashboard"), &awscloudwatch.CfnDashboardProps{
		DashboardName: name,
		DashboardBody: stack.ToJsonString(map[string]any{"start": "-PT3H", "periodOverride": "inherit", "widgets": widgets}, nil),
	})
	return joined(jsii.String("https://console.aws.amazon.com/cloudwatch/home?region="), stack.Region(), jsii.String("#dashboards/dashboard/"), name)
}

// stages returns the columns of the dashboard. Without taps there is no bridge, and the
// drainer has its graphs.
func (w watched) stages() []stage {
	all := []stage{
		w.frontStage(),
		{"Ingest", "makes records durable", [3]graph{
			{"Records accepted; bytes", []any{w.own(metric.Accepted, "Sum"), onRight(w.own(metric.AcceptedBytes, "Sum"))}},
			{"Push to the queue, ms", []any{w.own(metric.PushLatency, "p50"), w.own(metric.PushLatency, "p99")}},
			{"Refused requests, direct records", w.beginning("Refused", "Archived", "Undeclared", "Replayed")},
		}},
		{"Queue", "Redis stores records", [3]graph{
			{"Records waiting; claims", []any{w.own(metric.QueueDepth, "Maximum"), onRight(w.own(metric.ClaimsOutstanding, "Maximum"))}},
			{"Oldest record, s", []any{w.own(metric.OldestRecordAge, "Maximum")}},
			{"Cache memory, %; evictions", w.cacheLines()},
		}},
		w.drainerStage(),
	}
	if w.hasTaps() {
		all = append(all, stage{"Bridge", "packs records for Firehose", [3]graph{
			{"Records bridged; packed records", []any{w.own(metric.Bridged, "Sum"), w.own(metric.Packed, "Sum")}},
			{"To Firehose, s; iterator age, ms", []any{w.own(metric.FirehoseAge, "p50"), w.own(metric.FirehoseAge, "Maximum"), onRight(w.function(bridgeFunction, "IteratorAge", "Maximum"))}},
			{"Undelivered records; longest refusal of one, s", []any{w.own(metric.Undelivered, "Sum"), onRight(w.own(metric.BlockedAge, "Maximum"))}},
		}})
	}
	return append(all,
		stage{"Archive", "Firehose writes objects", [3]graph{
			{"Bytes written, busiest streams", []any{w.search("AWS/Firehose", "DeliveryStreamName", "DeliveryToS3.Bytes", "Sum")}},
			{"Freshness, s, oldest streams", []any{w.search("AWS/Firehose", "DeliveryStreamName", "DeliveryToS3.DataFreshness", "Maximum")}},
			{"Failed writes, share of success", []any{w.search("AWS/Firehose", "DeliveryStreamName", "DeliveryToS3.Success", "Average")}},
		}},
	)
}

// drainerStage is the column of the drainer, which packs records for Firehose if no
// stream has a tap.
func (w watched) drainerStage() stage {
	faults := graph{"Throttled, retried, dead letters, lost", []any{w.own(metric.Throttled, "Sum"), w.own(metric.Retried, "Sum"), w.own(metric.DeadLettered, "Sum"), w.own(metric.Lost, "Sum")}}
	if !w.hasTaps() {
		return stage{"Drainer", "packs records for Firehose", [3]graph{
			{"Records forwarded; packed records", []any{w.own(metric.Claimed, "Sum"), w.own(metric.Forwarded, "Sum"), onRight(w.own(metric.Packed, "Sum"))}},
			{"From receipt to Firehose, s", []any{w.own(metric.FirehoseAge, "p50"), w.own(metric.FirehoseAge, "Maximum")}},
			faults,
		}}
	}
	return stage{"Drainer", "moves records to Kinesis", [3]graph{
		{"Records forwarded", []any{w.own(metric.Claimed, "Sum"), w.own(metric.Forwarded, "Sum")}},
		{"From receipt to tap, s", []any{w.own(metric.TapAge, "p50"), w.own(metric.TapAge, "Maximum")}},
		faults,
	}}
}

// frontStage is the column of the HTTP API or of the function URL.
func (w watched) frontStage() stage {
	const title, means = "API", "clients post to it"
	if w.apiID == nil {
		return stage{title, means, [3]graph{
			{"Requests", []any{w.function("ingest", "UrlRequestCount", "Sum")}},
			{"Latency, ms", []any{w.function("ingest", "UrlRequestLatency", "p50"), w.function("ingest", "UrlRequestLatency", "p99")}},
			{"Errors", []any{w.function("ingest", "Url4xxCount", "Sum"), w.function("ingest", "Url5xxCount", "Sum")}},
		}}
	}
	return stage{title, means, [3]graph{
		{"Requests", []any{w.api("Count", "Sum")}},
		{"Latency, ms", []any{w.api("Latency", "p50"), w.api("Latency", "p99")}},
		{"Share of errors", []any{w.api("4xx", "Average"), w.api("5xx", "Average")}},
	}}
}

// streamGraphs returns the graphs of the streams with the highest values.
func (w watched) streamGraphs() []graph {
	graphs := []graph{
		{"Streams: oldest record, s", []any{w.ownSearch(metric.OldestRecordAge, "Maximum")}},
		{"Streams: records waiting", []any{w.ownSearch(metric.QueueDepth, "Maximum")}},
	}
	if !w.hasTaps() {
		return append(graphs, graph{"Streams: packed records to Firehose", []any{w.search("AWS/Firehose", "DeliveryStreamName", "IncomingRecords", "Sum")}})
	}
	return append(graphs,
		graph{"Streams: records to the tap", []any{w.search("AWS/Kinesis", "StreamName", "IncomingRecords", "Sum")}},
		graph{"Streams: tap throttled, writing and reading", []any{
			w.search("AWS/Kinesis", "StreamName", "WriteProvisionedThroughputExceeded", "Sum"),
			w.search("AWS/Kinesis", "StreamName", "ReadProvisionedThroughputExceeded", "Sum"),
		}},
	)
}

// functionGraphs returns the graphs of the Lambda functions.
func (w watched) functionGraphs() []graph {
	graphs := []graph{{title: "Functions: errors"}, {title: "Functions: throttles"}, {title: "Functions: concurrent executions"}}
	for i, m := range []struct{ name, statistic string }{{"Errors", "Sum"}, {"Throttles", "Sum"}, {"ConcurrentExecutions", "Maximum"}} {
		for _, f := range w.functions() {
			graphs[i].lines = append(graphs[i].lines, w.function(f, m.name, m.statistic))
		}
	}
	if w.Verifies() {
		graphs = append(graphs, graph{"Verifier: records verified; missing, differences", []any{
			w.own(metric.Verified, "Sum"), onRight(w.own(metric.Missing, "Sum")), onRight(w.own(metric.Differences, "Maximum")),
		}})
	}
	return graphs
}

// functions returns the functions of the deployment.
func (w watched) functions() []string {
	return slices.DeleteFunc(slices.Clone(functions), func(f string) bool {
		return f == verifierFunction && !w.Verifies() || f == bridgeFunction && !w.hasTaps()
	})
}

// line returns a metric in the form of a dashboard body: namespace, name, dimensions and
// options.
func line(namespace, name, statistic string, dimensions ...*string) []any {
	l := []any{namespace, name}
	for _, d := range dimensions {
		l = append(l, d)
	}
	return append(l, map[string]any{"stat": statistic})
}

func onRight(l []any) []any {
	l[len(l)-1].(map[string]any)["yAxis"] = "right"
	return l
}

func (w watched) own(m metric.Metric, statistic string) []any {
	return line(metric.Namespace, m.Name, statistic, dims(metric.Service, w.Name)...)
}

// beginning returns all counts whose names have one of the prefixes.
func (w watched) beginning(prefixes ...string) []any {
	var lines []any
	for _, prefix := range prefixes {
		for _, m := range metric.All() {
			if strings.HasPrefix(m.Name, prefix) {
				lines = append(lines, w.own(m, "Sum"))
			}
		}
	}
	return lines
}

func (w watched) api(name, statistic string) []any {
	return line("AWS/ApiGateway", name, statistic, theAPI(w)...)
}

func (w watched) function(f, name, statistic string) []any {
	l := line("AWS/Lambda", name, statistic, dims("FunctionName", functionName(w.Settings, f))...)
	l[len(l)-1].(map[string]any)["label"] = f
	return l
}

func (w watched) cacheLines() []any {
	lines := []any{onRight(w.own(metric.EvictionPolicyUnsafe, "Maximum"))} // the only line without a cache of the stack
	switch {
	case w.Serverless():
		cache := theServerlessCache(w)
		lines = append(lines, line("AWS/ElastiCache", "BytesUsedForCache", "Maximum", cache...), onRight(line("AWS/ElastiCache", "ThrottledCmds", "Sum", cache...)))
	case w.CreatesCache():
		lines = append(lines, line("AWS/ElastiCache", "DatabaseMemoryUsageCountedForEvictPercentage", "Maximum", theCache(w)...))
		for _, t := range cacheNodes(w) {
			lines = append(lines, onRight(line("AWS/ElastiCache", "Evictions", "Sum", t.dimensions...)))
		}
	}
	return lines
}

// ownSearch finds our own metric of each stream of this deployment.
func (w watched) ownSearch(m metric.Metric, statistic string) []any {
	return top(fmt.Sprintf(`{%s,%s,%s} MetricName="%s" %s="%s"`, metric.Namespace, metric.Service, metric.Stream, m.Name, metric.Service, w.Name), statistic)
}

// search finds a metric of AWS for each stream, by the words of the deployment's name.
// It also finds a deployment whose name has the same words, because SEARCH has no
// operator for prefixes.
func (w watched) search(namespace, dimension, name, statistic string) []any {
	return top(fmt.Sprintf(`{%s,%s} MetricName="%s" %s`, namespace, dimension, name, strings.ReplaceAll(w.Name, "-", " ")), statistic)
}

// top returns the ten highest results of a search.
func top(search, statistic string) []any {
	return []any{map[string]any{"expression": fmt.Sprintf("SORT(SEARCH('%s', '%s', %d), MAX, DESC, 10)", search, statistic, minute)}}
}
