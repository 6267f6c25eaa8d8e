package datasink

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// Limits of CloudFormation and IAM.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	maxResources     = 500
	maxAllResources  = 2500
	maxTemplateBytes = 1_000_000
	maxOutputs       = 200
	maxParameters    = 200
	maxRolePolicies  = 10_240
	maxManagedPolicy = 6_144

	// alarmsPerStream is the number of alarms of a stream.
	alarmsPerStream = 3
	perStream       = 8
)

// TestManyStreamsAndAlarmsStayUnderTheLimit adds the resources of streams to a stack that
// has an alarm for each of 90 shards of the cache.
func TestManyStreamsAndAlarmsStayUnderTheLimit(t *testing.T) {
	a := synth(t, map[string]any{
		"tracing": "true", "verifyHours": "1", "lake": "true", "objectsTopic": "true", "egress": "both", "cacheShards": "90", "cacheReplicas": "0",
		"corsOrigins": "https://app.example.com", "domainName": "sink.example.com", "certificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/0a1b",
	}, tapsOfAllKinds)
	if all := len(a.root.Resources) - len(a.nested) + settings.ManyStreams*perStream; all > maxAllResources {
		t.Errorf("%d streams make %d resources, want at most %d", settings.ManyStreams, all, maxAllResources)
	}
}

func TestTheMostStreamsStayUnderTheLimits(t *testing.T) {
	const n = settings.MaxStreams
	// The settings that add the most resources.
	a := synth(t, map[string]any{
		"name": "name-of-20-characters"[:20], "tracing": "true", "verifyHours": "1", "lake": "true", "objectsTopic": "true", "egress": "both", "cacheShards": "3", "cacheReplicas": "0", "corsOrigins": "https://app.example.com",
		"domainName": "sink.example.com", "certificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/0a1b",
	}, many(n))
	resources := 0
	for _, tpl := range a.all() {
		resources += len(tpl.Resources)
		if len(tpl.Resources) > maxResources {
			t.Errorf("%s has %d resources", tpl.file, len(tpl.Resources))
		}
		if tpl.bytes > maxTemplateBytes {
			t.Errorf("%s has %d bytes", tpl.file, tpl.bytes)
		}
		if len(tpl.Outputs) > maxOutputs || len(tpl.Parameters) > maxParameters {
			t.Errorf("%s has %d outputs and %d parameters", tpl.file, len(tpl.Outputs), len(tpl.Parameters))
		}
	}
	alarms := n * alarmsPerStream
	for _, tpl := range a.nested {
		for _, r := range tpl.Resources {
			if r.Type == "AWS::CloudWatch::Alarm" {
				alarms--
			}
		}
	}
	if resources+alarms > maxAllResources {
		t.Errorf("%d resources with all alarms, want at most %d", resources+alarms, maxAllResources)
	}
	t.Logf("%d resources in the root, %d with all alarms; the root has %d bytes", len(a.root.Resources), resources+alarms, a.root.bytes)
	for name, nested := range a.nested {
		if count := 1 + len(nested.Resources); count > perStream {
			t.Errorf("stream %s costs %d resources, want at most %d", name, count, perStream)
		}
	}
	for id, r := range ofType(a.root, "AWS::IAM::Role") {
		policies := 0
		for _, p := range r.Properties["Policies"].([]any) {
			policies += policySize(t, at(p, "PolicyDocument"))
		}
		// The bound of a managed policy, which is lower, leaves a margin.
		if policies > maxManagedPolicy || policies > maxRolePolicies {
			t.Errorf("%s has policies of %d characters", id, policies)
		}
	}
}

// policySize is the size as IAM counts it, with every reference at its longest.
func policySize(t *testing.T, document any) int {
	t.Helper()
	b, err := json.Marshal(resolved(document))
	if err != nil {
		t.Fatal(err)
	}
	return len(token.ReplaceAllString(string(b), strings.Repeat("x", 128)))
}
