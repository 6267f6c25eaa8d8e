package datasink

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// permissions are what a role may do: actions, each with its resources.
type permissions map[string][]string

const (
	account   = "${AWS::Region}:${AWS::AccountId}"
	streams   = "arn:${AWS::Partition}:kinesis:" + account + ":stream/datasink.*"
	bucketARN = "${Archive.Arn}"
)

// network interfaces have no ARNs before they exist.
var networkActions = []string{
	"ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces",
	"ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
}

func expectedPermissions() map[string]permissions {
	secret := func(name string) string {
		return "arn:${AWS::Partition}:secretsmanager:" + account + ":secret:datasink." + name + "-??????"
	}
	roles := map[string]permissions{
		"IngestRole": {
			"secretsmanager:GetSecretValue": {secret("cache"), secret("clients")},
			"sqs:SendMessage":               {"${Wake.Arn}"},
			"s3:PutObject":                  {bucketARN + "/*/dt=*"},
			"s3:ListBucket":                 {bucketARN},
			"logs:CreateLogStream":          {"${IngestLogs.Arn}"},
			"logs:PutLogEvents":             {"${IngestLogs.Arn}"},
		},
		"DrainerRole": {
			"kinesis:PutRecords":            {streams},
			"secretsmanager:GetSecretValue": {secret("cache")},
			"sqs:DeleteMessage":             {"${Wake.Arn}"},
			"sqs:GetQueueAttributes":        {"${Wake.Arn}"},
			"sqs:ReceiveMessage":            {"${Wake.Arn}"},
			"sqs:SendMessage":               {"${Wake.Arn}"},
			"s3:PutObject":                  {bucketARN + "/failed/drainer/*"},
			"logs:CreateLogStream":          {"${DrainerLogs.Arn}"},
			"logs:PutLogEvents":             {"${DrainerLogs.Arn}"},
		},
		"BridgeRole": {
			"kinesis:DescribeStream":        {streams},
			"kinesis:DescribeStreamSummary": {streams},
			"kinesis:GetRecords":            {streams},
			"kinesis:GetShardIterator":      {streams},
			"kinesis:ListShards":            {streams},
			"firehose:PutRecordBatch":       {"arn:${AWS::Partition}:firehose:" + account + ":deliverystream/datasink.*"},
			"s3:PutObject":                  {bucketARN + "/aws/lambda/*", bucketARN + "/failed/bridge/*"},
			"s3:ListBucket":                 {bucketARN},
			"logs:CreateLogStream":          {"${BridgeLogs.Arn}"},
			"logs:PutLogEvents":             {"${BridgeLogs.Arn}"},
		},
		"FirehoseRole": {
			"s3:GetBucketLocation":          {bucketARN},
			"s3:ListBucket":                 {bucketARN},
			"s3:ListBucketMultipartUploads": {bucketARN},
			"s3:AbortMultipartUpload":       {bucketARN + "/*/dt=*"},
			"s3:GetObject":                  {bucketARN + "/*/dt=*"},
			"s3:PutObject":                  {bucketARN + "/*/dt=*"},
			"logs:PutLogEvents":             {"${FirehoseLogs.Arn}"},
		},
		"SweepRole":  {"lambda:InvokeFunction": {"${Drainer.Arn}"}},
		"HealthRole": {"lambda:InvokeFunction": {"${Ingest.Arn}"}},
	}
	for _, role := range []string{"IngestRole", "DrainerRole"} {
		for _, action := range networkActions {
			roles[role][action] = []string{"*"}
		}
	}
	return roles
}

func TestEachRoleMayDoItsOwnActionsOnItsOwnResources(t *testing.T) {
	if diff := cmp.Diff(expectedPermissions(), allowed(t, synth(t, nil, fourStreams))); diff != "" {
		t.Errorf("permissions differ (-want +got):\n%s", diff)
	}
}

func TestTracingAddsOnlyWhatXRayNeeds(t *testing.T) {
	want := expectedPermissions()
	for _, role := range []string{"IngestRole", "DrainerRole", "BridgeRole"} {
		want[role]["xray:PutTraceSegments"] = []string{"*"}
		want[role]["xray:PutTelemetryRecords"] = []string{"*"}
	}
	a := synth(t, map[string]any{"tracing": "true"}, fourStreams)
	if diff := cmp.Diff(want, allowed(t, a)); diff != "" {
		t.Errorf("permissions differ (-want +got):\n%s", diff)
	}
	for id, f := range ofType(a.root, "AWS::Lambda::Function") {
		if mode := at(f.Properties, "TracingConfig", "Mode"); mode != "Active" {
			t.Errorf("%s: tracing mode %v", id, mode)
		}
	}
}

// wildcards are the patterns that the resources of statements may have, and why.
var wildcards = []struct{ pattern, why string }{
	{`\*`, "network interfaces and traces have no ARNs to name"},
	{`.*:stream/datasink\.\*`, "all streams of this deployment: no other deployment's name reaches past the full stop"},
	{`.*:deliverystream/datasink\.\*`, "their Firehoses"},
	{`.*:secret:datasink\.(cache|clients)-\?{6}`, "the six characters that Secrets Manager appends"},
	{`\$\{Archive\.Arn\}/\*/dt=\*`, "the folders of all streams"},
	{`.*:log-group:/datasink/(bridge|drainer|ingest):\*`, "the log streams of one log group"},
	{`\$\{Archive\.Arn\}/failed/(drainer|bridge)/\*`, "a function's own folder"},
	{`\$\{Archive\.Arn\}/_manifests/\*`, "the folder of the verifier"},
	{`\$\{Archive\.Arn\}/aws/lambda/\*`, "Lambda's folder: it has the mapping's id, which is not known before"},
}

func TestNoWildcardThatIsNotExplained(t *testing.T) {
	explained := func(arn string) bool {
		for _, w := range wildcards {
			if regexp.MustCompile("^" + w.pattern + "$").MatchString(arn) {
				return true
			}
		}
		return false
	}
	for role, p := range allowed(t, synth(t, map[string]any{"tracing": "true", "verifyHours": "6"}, fourStreams)) {
		for action, resources := range p {
			if strings.ContainsAny(action, "*?") {
				t.Errorf("%s may do %s", role, action)
			}
			for _, r := range resources {
				if strings.ContainsAny(r, "*?") && !explained(r) {
					t.Errorf("%s may do %s on %s", role, action, r)
				}
				if r == "*" && !slices.Contains(networkActions, action) && !strings.HasPrefix(action, "xray:Put") {
					t.Errorf("%s may do %s on everything", role, action)
				}
			}
		}
	}
}

// Ingest and Firehose write to the folders of all streams, */dt=*. That pattern also
// matches folders that are not of a stream.
func TestNobodyWritesDeadLettersOrMarkersOfOthers(t *testing.T) {
	root := synth(t, nil, fourStreams).root
	for role, want := range map[string][]string{
		"IngestRole":   {bucketARN + "/_*", bucketARN + "/aws/*", bucketARN + "/failed/*"},
		"FirehoseRole": {bucketARN + "/_*", bucketARN + "/aws/*", bucketARN + "/failed/bridge/*", bucketARN + "/failed/drainer/*"},
	} {
		var got []string
		for _, s := range statements(t, named(t, root, "AWS::IAM::Role", role)) {
			if s["Effect"] == "Deny" && s["Condition"] == nil && slices.Equal(list(s["Action"]), []string{"s3:PutObject"}) {
				got = append(got, list(s["Resource"])...)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s may not write to (-want +got):\n%s", role, diff)
		}
	}
}

func TestCodeInTheVPCMayNotUseTheNetworkActionsItself(t *testing.T) {
	root := synth(t, nil, fourStreams).root
	for _, function := range []string{"Ingest", "Drainer"} {
		denied := 0
		for _, s := range statements(t, named(t, root, "AWS::IAM::Role", function+"Role")) {
			if s["Effect"] != "Deny" || s["Condition"] == nil {
				continue
			}
			denied++
			if diff := cmp.Diff(networkActions, list(s["Action"])); diff != "" {
				t.Errorf("%s: denied actions differ (-want +got):\n%s", function, diff)
			}
			want := "arn:${AWS::Partition}:lambda:" + account + ":function:datasink-" + strings.ToLower(function)
			if got := rendered(at(s, "Condition", "ArnEquals", "lambda:SourceFunctionArn")); got != want {
				t.Errorf("%s: denied to %s, want %s", function, got, want)
			}
		}
		if denied != 1 {
			t.Errorf("%s: %d statements deny, want 1", function, denied)
		}
	}
}

func TestRolesAreAssumedByTheirServicesAlone(t *testing.T) {
	want := map[string]string{
		"IngestRole": "lambda.amazonaws.com", "DrainerRole": "lambda.amazonaws.com", "BridgeRole": "lambda.amazonaws.com",
		"FirehoseRole": `firehose.amazonaws.com if {"StringEquals":{"sts:ExternalId":"${AWS::AccountId}"}}`,
		"HealthRole":   `scheduler.amazonaws.com if {"StringEquals":{"aws:SourceAccount":"${AWS::AccountId}","aws:SourceArn":"arn:${AWS::Partition}:scheduler:` + account + `:schedule-group/default"}}`,
		"SweepRole":    `scheduler.amazonaws.com if {"StringEquals":{"aws:SourceAccount":"${AWS::AccountId}","aws:SourceArn":"arn:${AWS::Partition}:scheduler:` + account + `:schedule-group/default"}}`,
	}
	got := make(map[string]string)
	a := synth(t, nil, fourStreams)
	for id, r := range ofType(a.root, "AWS::IAM::Role") {
		if r.Properties["ManagedPolicyArns"] != nil {
			t.Errorf("%s has managed policies", id)
		}
		trust, _ := at(r.Properties, "AssumeRolePolicyDocument", "Statement").([]any)
		if len(trust) != 1 || at(trust[0], "Action") != "sts:AssumeRole" {
			t.Fatalf("%s: trust %v", id, trust)
		}
		got[plain(id)] = fmt.Sprint(at(trust[0], "Principal", "Service"))
		if condition := at(trust[0], "Condition"); condition != nil {
			got[plain(id)] += " if " + rendered(resolved(condition))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trust differs (-want +got):\n%s", diff)
	}
	for _, tpl := range a.all() {
		for _, kind := range []string{"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"} {
			if n := len(ofType(tpl, kind)); n > 0 {
				t.Errorf("%s has %d of %s: permissions belong into the roles", tpl.file, n, kind)
			}
		}
	}
	for name, nested := range a.nested {
		if n := len(ofType(nested, "AWS::IAM::Role")); n > 0 {
			t.Errorf("stream %s has %d roles of its own", name, n)
		}
	}
}

func TestWhoMayInvokeTheFunctions(t *testing.T) {
	p := only(t, synth(t, nil, fourStreams).root, "AWS::Lambda::Permission").Properties
	if p["Action"] != "lambda:InvokeFunction" || p["Principal"] != "apigateway.amazonaws.com" || plain(rendered(p["FunctionName"])) != "${Ingest.Arn}" {
		t.Errorf("permission %v", p)
	}
	if got, want := plain(rendered(p["SourceArn"])), "arn:${AWS::Partition}:execute-api:"+account+":${ApiHttp}/*"; got != want {
		t.Errorf("ingest may be invoked by %s, want %s", got, want)
	}
}
