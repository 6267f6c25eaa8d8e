package datasink

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/data-sink/data-sink/internal/pipeline/env"
)

const (
	tapsOfAllKinds = `{"streams": [{"name": "orders"}, {"name": "ending", "tap": "ending", "shards": 2}, {"name": "quiet", "tap": false}]}`
	noTaps         = `{"streams": [{"name": "quiet", "tap": false}, {"name": "silent", "tap": false}]}`
)

// inventory returns the number of resources of each type.
func inventory(tpl template) map[string]int {
	count := make(map[string]int)
	for _, r := range tpl.Resources {
		count[r.Type]++
	}
	return count
}

func TestAStreamWithoutATapHasOnlyAFirehose(t *testing.T) {
	a := synth(t, nil, tapsOfAllKinds)
	want := map[string]int{"AWS::KinesisFirehose::DeliveryStream": 1, "AWS::CloudWatch::Alarm": 2}
	if diff := cmp.Diff(want, inventory(a.nested["quiet"])); diff != "" {
		t.Errorf("without a tap (-want +got):\n%s", diff)
	}
	for name := range alarmsOf(a.nested["quiet"]) {
		if strings.HasSuffix(name, "iterator-age") {
			t.Errorf("%s watches a tap that does not exist", name)
		}
	}
	if diff := cmp.Diff(inventory(a.nested["orders"]), inventory(a.nested["ending"])); diff != "" {
		t.Errorf("a tap that ends has other resources than a tap (-tap +ending):\n%s", diff)
	}
}

// TestATapEndsInTwoDeploys checks what each change of the field does to the Kinesis
// stream. CloudFormation deletes a resource that is missing by the deletion policy of the
// last deploy.
func TestATapEndsInTwoDeploys(t *testing.T) {
	tap := func(value string) resource {
		return only(t, synth(t, nil, `{"streams": [{"name": "orders", "tap": `+value+`}]}`).nested["orders"], "AWS::Kinesis::Stream")
	}
	on, ending := tap("true"), tap(`"ending"`)
	if on.DeletionPolicy != "RetainExceptOnCreate" {
		t.Errorf("true to false in one deploy: deletion %s, want the Kinesis stream to be retained", on.DeletionPolicy)
	}
	if ending.DeletionPolicy != "Delete" {
		t.Errorf("\"ending\" to false: deletion %s, want Delete", ending.DeletionPolicy)
	}
	// CloudFormation ignores a new deletion policy that comes alone.
	if cmp.Equal(on.Properties, ending.Properties) {
		t.Error("ending a tap changes no property, so that CloudFormation would miss the new deletion policy")
	}
	delete(ending.Properties, "Tags")
	if diff := cmp.Diff(on.Properties, ending.Properties); diff != "" {
		t.Errorf("ending a tap changes more than its tags (-true +ending):\n%s", diff)
	}
}

func TestTheDrainerPutsOnlyToFirehosesOfStreamsThatFeedNoTap(t *testing.T) {
	const firehoses = "arn:${AWS::Partition}:firehose:" + account + ":deliverystream/"
	for _, tt := range []struct {
		name, streams       string
		kinesis, firehoseTo []string
	}{
		{"all have a tap", fourStreams, []string{streams}, nil},
		{"mixed", tapsOfAllKinds, []string{streams}, []string{firehoses + "datasink.ending", firehoses + "datasink.quiet"}},
		{"none has a tap", noTaps, nil, []string{firehoses + "datasink.quiet", firehoses + "datasink.silent"}},
		// The ARNs would not fit into the policy of a role.
		{"too many to name", strings.ReplaceAll(many(maxNamedFirehoses+1), `"}`, `", "tap": false}`), nil, []string{firehoses + "datasink.*"}},
	} {
		drainer := allowed(t, synth(t, nil, tt.streams))["DrainerRole"]
		if diff := cmp.Diff(tt.kinesis, drainer["kinesis:PutRecords"]); diff != "" {
			t.Errorf("%s: to Kinesis (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.firehoseTo, drainer["firehose:PutRecordBatch"]); diff != "" {
			t.Errorf("%s: to Firehose (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestWithoutATapThereIsNoBridge(t *testing.T) {
	a := synth(t, verified, noTaps)
	for id, r := range a.root.Resources {
		if strings.HasPrefix(id, "Bridge") {
			t.Errorf("%s, a %s", id, r.Type)
		}
	}
	if got := variables(t, a.root, "Verifier")[env.BridgeLog]; got != "" {
		t.Errorf("the verifier reads the log %v, which does not exist", got)
	}
	for _, group := range allowed(t, a)["VerifierRole"]["logs:FilterLogEvents"] {
		if strings.Contains(group, "bridge") {
			t.Errorf("the verifier may read %s", group)
		}
	}
	if _, ok := a.root.Outputs["BridgeFunction"]; ok {
		t.Error("an output BridgeFunction")
	}
	var alarms []string
	for name, r := range alarmsOf(a.root) {
		if text := fmt.Sprint(name, dimensionsOf(r)); strings.Contains(text, "bridge") || strings.Contains(text, "lambda") {
			alarms = append(alarms, name)
		}
	}
	if len(alarms) > 0 {
		t.Errorf("alarms of the bridge: %v", alarms)
	}
	lost := slices.Sorted(maps.Keys(alarmsOf(synth(t, verified, fourStreams).root)))
	lost = slices.DeleteFunc(lost, func(name string) bool { return alarmsOf(a.root)[name] != nil })
	want := []string{
		"datasink.blocked-shard", "datasink.destination-failures", "datasink.function-errors-bridge", "datasink.function-throttles-bridge",
		"datasink.read-throttling", "datasink.service-dead-letters-lambda",
	}
	if diff := cmp.Diff(want, lost); diff != "" {
		t.Errorf("alarms that only taps have (-want +got):\n%s", diff)
	}
	if body := rendered(only(t, a.root, "AWS::CloudWatch::Dashboard").Properties["DashboardBody"]); strings.Contains(body, "AWS/Kinesis") || strings.Contains(body, "datasink-bridge") {
		t.Error("the dashboard shows taps or the bridge")
	}
	var titles []string
	for _, w := range widgets(t, a) {
		if title, _, found := strings.Cut(w.Properties.Markdown, "\n"); found {
			titles = append(titles, title)
		}
	}
	if diff := cmp.Diff([]string{"**1. API**", "**2. Ingest**", "**3. Queue**", "**4. Drainer**", "**5. Archive**"}, titles); diff != "" {
		t.Errorf("stages of the dashboard (-want +got):\n%s", diff)
	}
}

// TestTheDrainerReachesFirehose checks the way from the VPC to Kinesis and to Firehose.
func TestTheDrainerReachesFirehose(t *testing.T) {
	for _, tt := range []struct {
		streams           string
		kinesis, firehose bool
	}{{fourStreams, true, false}, {tapsOfAllKinds, true, true}, {noTaps, false, true}} {
		for egress, subnets := range map[string]int{"endpoints": 2, "endpoint": 1, "both": 2, "ipv6": 0} {
			root := synth(t, map[string]any{"egress": egress}, tt.streams).root
			got := make(map[string]int)
			for _, e := range ofType(root, "AWS::EC2::VPCEndpoint") {
				service := strings.TrimPrefix(rendered(e.Properties["ServiceName"]), "com.amazonaws.${AWS::Region}.")
				if ids, _ := e.Properties["SubnetIds"].([]any); e.Properties["VpcEndpointType"] == "Interface" {
					got[service] = len(ids)
				}
			}
			want := make(map[string]int)
			for service, needed := range map[string]bool{"sqs": true, "secretsmanager": true, "kinesis-streams": tt.kinesis, "kinesis-firehose": tt.firehose} {
				if needed && subnets > 0 {
					want[service] = subnets
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, egress=%s: endpoints and their subnets (-want +got):\n%s", tt.streams, egress, diff)
			}
		}
	}
	// A drainer that starts before its endpoint would wait for calls that cannot succeed.
	depends := list(named(t, synth(t, nil, noTaps).root, "AWS::Lambda::Function", "Drainer").DependsOn)
	if !slices.ContainsFunc(depends, func(id string) bool { return strings.Contains(id, "Firehose") && strings.HasPrefix(id, "Network") }) {
		t.Errorf("the drainer depends on %v, want the endpoint of Firehose among them", depends)
	}
}
