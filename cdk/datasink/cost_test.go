package datasink

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/data-sink/data-sink/internal/operate/capacity/bill"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// levers are the settings that change what a deployment costs without traffic.
var levers = []struct {
	name    string
	context map[string]any
}{
	{"default", nil},
	{"`egress=endpoint`", map[string]any{"egress": "endpoint"}},
	{"`egress=ipv6`", byIPv6},
	{"`cache=serverless`", map[string]any{"cache": "serverless"}},
	{"`profile=small`", map[string]any{"profile": "small"}},
	{"`redisUrl`", map[string]any{"redisUrl": "rediss://redis.example.com"}},
}

// TestTheFloorIsTheTemplates counts what costs money without traffic in the templates.
// The prices, the README and the model of capacity use the same numbers.
func TestTheFloorIsTheTemplates(t *testing.T) {
	contexts := []map[string]any{
		verified, byURL, {"cacheShards": "3", "cacheReplicas": "2", "cacheNodeType": "cache.m7g.large"}, {"cacheShards": "30"}, {"cacheShards": "100", "cacheReplicas": "0"},
	}
	for _, l := range levers {
		contexts = append(contexts, l.context)
	}
	check := func(context map[string]any, streams string) {
		t.Helper()
		want := countFloor(t, synth(t, context, streams))
		got := bill.FloorOf(parsed(context), mustParse(t, streams).All())
		got.Metrics = 0 // not in the template
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v, %s: the floor differs (-template +model):\n%s", context, streams, diff)
		}
	}
	for _, context := range contexts {
		check(context, fourStreams)
	}
	check(nil, many(300))
	check(map[string]any{"cacheShards": "4"}, many(300))
	for _, streams := range []string{tapsOfAllKinds, noTaps} {
		for _, context := range []map[string]any{nil, {"egress": "endpoint"}, {"profile": "small", "verifyHours": "6"}} {
			check(context, streams)
		}
	}
}

// countFloor counts the resources of a deployment that cost money without traffic.
func countFloor(t *testing.T, a assembly) bill.Floor {
	t.Helper()
	var f bill.Floor
	for _, tpl := range a.all() {
		for _, r := range tpl.Resources {
			p := r.Properties
			switch r.Type {
			case "AWS::ElastiCache::ReplicationGroup":
				f.NodeType = p["CacheNodeType"].(string)
				f.Nodes = int(numeric(t, p["NumNodeGroups"]) * (1 + numeric(t, p["ReplicasPerNodeGroup"])))
			case "AWS::ElastiCache::ServerlessCache":
				f.ServerlessCaches++
			case "AWS::EC2::VPCEndpoint":
				if subnets, _ := p["SubnetIds"].([]any); p["VpcEndpointType"] == "Interface" {
					f.InterfaceEndpoints += len(subnets)
				}
			case "AWS::EC2::NatGateway", "AWS::KMS::Key", "AWS::Lambda::Alias", "AWS::EC2::EIP":
				t.Errorf("the model does not know the cost of a %s", r.Type)
			case "AWS::SecretsManager::Secret":
				f.Secrets++
			case "AWS::CloudWatch::Alarm":
				f.Alarms++
			case "AWS::CloudWatch::Dashboard":
				f.Dashboards++
			case "AWS::Kinesis::Stream":
				f.Streams++
				if p["ShardCount"] == nil {
					f.OnDemandStreams++
				} else {
					f.Shards += int(numeric(t, p["ShardCount"]))
				}
			}
		}
	}
	return f
}

// costTable is what deployments cost each month without any traffic, in Markdown.
func costTable(t *testing.T) string {
	t.Helper()
	tap := mustParse(t, `{"streams": [{"name": "orders"}]}`).All()
	noTap := mustParse(t, `{"streams": [{"name": "orders", "tap": false}, {"name": "audit", "tap": false}]}`).All()
	var b strings.Builder
	b.WriteString("| $ a month |")
	for _, l := range levers {
		fmt.Fprintf(&b, " %s |", l.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(levers)) + "\n")
	row := func(name string, dollars func(lines func(streams []stream.Stream) []bill.Line) float64) {
		fmt.Fprintf(&b, "| %s |", name)
		for _, l := range levers {
			s := parsed(l.context)
			fmt.Fprintf(&b, " %.2f |", dollars(func(streams []stream.Stream) []bill.Line { return bill.FloorOf(s, streams).Lines(s.DrainerMemory) }))
		}
		b.WriteString("\n")
	}
	type of = func([]stream.Stream) []bill.Line
	for i, line := range bill.FloorOf(parsed(nil), nil).Lines(256) {
		if line.What == "Kinesis" || line.What == "KMS" {
			continue // of streams
		}
		row(line.What, func(lines of) float64 { return lines(nil)[i].Dollars })
	}
	row("**deployment without streams**", func(lines of) float64 { return bill.Dollars(lines(nil)) })
	row("**each stream** with one shard", func(lines of) float64 { return bill.Dollars(lines(tap)) - bill.Dollars(lines(nil)) })
	row("**each stream** without a tap", func(lines of) float64 { return bill.Dollars(lines(noTap)) - bill.Dollars(lines(noTap[:1])) })
	row("**five streams** without a tap", func(lines of) float64 { return bill.Dollars(lines(slices.Repeat(noTap[:1], 5))) })
	return b.String()
}
