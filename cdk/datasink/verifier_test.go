package datasink

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/data-sink/data-sink/internal/operate/verifier"
	"github.com/data-sink/data-sink/internal/operate/verify"
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// verified is the context of a stack with a verifier.
var verified = map[string]any{"verifyHours": "6"}

// added are the resources and outputs that one template has and another has not.
func added(with, without template) []string {
	var more []string
	for id, r := range with.Resources {
		if _, ok := without.Resources[id]; !ok {
			more = append(more, r.Type)
		}
	}
	for name := range with.Outputs {
		if _, ok := without.Outputs[name]; !ok {
			more = append(more, "output "+name)
		}
	}
	slices.Sort(more)
	return more
}

func TestAVerifierOnlyOnRequest(t *testing.T) {
	without, with := synth(t, nil, fourStreams), synth(t, verified, fourStreams)
	want := []string{
		"AWS::CloudWatch::Alarm", "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Alarm", "AWS::IAM::Role", "AWS::IAM::Role", "AWS::Lambda::EventInvokeConfig",
		"AWS::Lambda::Function", "AWS::Logs::LogGroup", "AWS::Scheduler::Schedule", "output VerifierFunction",
	}
	if diff := cmp.Diff(want, added(with.root, without.root)); diff != "" {
		t.Errorf("a verifier adds (-want +got):\n%s", diff)
	}
	if more := added(without.root, with.root); len(more) > 0 {
		t.Errorf("a verifier removes %v", more)
	}
	for _, context := range []map[string]any{nil, {"verifyHours": "0"}} {
		a := synth(t, context, fourStreams)
		for _, tpl := range a.all() {
			if text := strings.ToLower(string(readFile(t, filepath.Join(a.dir, tpl.file)))); strings.Contains(text, "verif") {
				t.Errorf("%v: %s mentions a verifier: …%.80s", context, tpl.file, text[strings.Index(text, "verif"):])
			}
		}
	}
}

func TestThePermissionsOfTheVerifier(t *testing.T) {
	const group = "arn:${AWS::Partition}:logs:" + account + ":log-group:/datasink/"
	want := expectedPermissions()
	want["VerifierRole"] = permissions{
		"lambda:InvokeFunction": {"${Drainer.Arn}"},
		"logs:FilterLogEvents":  {group + "bridge", group + "bridge:*", group + "drainer", group + "drainer:*", group + "ingest", group + "ingest:*"},
		"s3:ListBucket":         {bucketARN},
		"s3:GetObject":          {bucketARN + "/*/dt=*"},
		"s3:PutObject":          {bucketARN + "/_manifests/*"},
		"logs:CreateLogStream":  {"${VerifierLogs.Arn}"},
		"logs:PutLogEvents":     {"${VerifierLogs.Arn}"},
	}
	want["VerifyRole"] = permissions{"lambda:InvokeFunction": {"${Verifier.Arn}"}}
	root := synth(t, verified, fourStreams)
	if diff := cmp.Diff(want, allowed(t, root)); diff != "" {
		t.Errorf("permissions differ (-want +got):\n%s", diff)
	}
	trust := map[string]string{}
	for _, role := range []string{"VerifierRole", "VerifyRole", "SweepRole"} {
		document := named(t, root.root, "AWS::IAM::Role", role).Properties["AssumeRolePolicyDocument"]
		trust[role] = rendered(resolved(document))
	}
	if !strings.Contains(trust["VerifierRole"], `"Service":"lambda.amazonaws.com"`) || trust["VerifyRole"] != trust["SweepRole"] {
		t.Errorf("trust %v", trust)
	}
	for logs, variable := range map[string]string{"DrainerLogs": env.DrainerLog, "BridgeLogs": env.BridgeLog, "IngestLogs": env.IngestLog} {
		name := named(t, root.root, "AWS::Logs::LogGroup", logs).Properties["LogGroupName"]
		if got := variables(t, root.root, "Verifier")[variable]; got != name {
			t.Errorf("%s has the name %v, the verifier reads %v", logs, name, got)
		}
	}
}

func TestTheVerifierIsInNoVPC(t *testing.T) {
	p := named(t, synth(t, verified, fourStreams).root, "AWS::Lambda::Function", "Verifier").Properties
	if p["VpcConfig"] != nil || numeric(t, p["Timeout"]) != 900 || numeric(t, p["MemorySize"]) != verifierMemory {
		t.Errorf("VPC %v, timeout %v, memory %v", p["VpcConfig"], p["Timeout"], p["MemorySize"])
	}
	if got := fmt.Sprint(at(p, "Code", "S3Key")); got == "" || got == fmt.Sprint(at(named(t, synth(t, verified, fourStreams).root, "AWS::Lambda::Function", "Bridge").Properties, "Code", "S3Key")) {
		t.Errorf("code %s, want an asset of its own", got)
	}
}

func TestTheScheduleOfTheVerifier(t *testing.T) {
	for _, hours := range settings.VerifyHours() {
		root := synth(t, map[string]any{"verifyHours": float64(hours)}, fourStreams).root
		p := named(t, root, "AWS::Scheduler::Schedule", "Verify").Properties
		want := fmt.Sprintf("rate(%d hours)", hours)
		if hours == 1 {
			want = "rate(1 hour)"
		}
		// A rate without a start date begins at once; the alarm relies on it.
		if p["ScheduleExpression"] != want || p["StartDate"] != nil || at(p, "FlexibleTimeWindow", "Mode") != "OFF" {
			t.Errorf("schedule %v, want %s from now on", p, want)
		}
		v, err := env.ParseVerifier(func(name string) string {
			return token.ReplaceAllString(rendered(variables(t, root, "Verifier")[name]), "1234")
		})
		if err != nil || v.Every != time.Duration(hours)*time.Hour {
			t.Errorf("the verifier reads %+v, %v, want every %d hours", v, err, hours)
		}
	}
	target := named(t, synth(t, verified, fourStreams).root, "AWS::Scheduler::Schedule", "Verify").Properties["Target"]
	if input := at(target, "Input"); input != `{"scheduledAt":"<aws.scheduler.scheduled-time>"}` {
		t.Errorf("input %v", input)
	}
	if plain(rendered(at(target, "Arn"))) != "${Verifier.Arn}" || plain(rendered(at(target, "RoleArn"))) != "${VerifyRole.Arn}" {
		t.Errorf("target %s", asJSON(target))
	}
}

// window returns the hours that a run verifies, as package verifier computes them.
func window(scheduled time.Time, hours int) (from, to time.Time) {
	to = scheduled.Add(-verifier.Lag).Truncate(time.Hour)
	return to.Add(-time.Duration(hours) * time.Hour), to
}

// TestTheWindowsOfTheVerifierFollowEachOther checks it for every minute at which a stack
// can be created.
func TestTheWindowsOfTheVerifierFollowEachOther(t *testing.T) {
	for _, hours := range settings.VerifyHours() {
		for minute := range 60 {
			first := time.Date(2026, 11, 22, 23, minute, 0, 0, time.UTC)
			_, to := window(first, hours)
			if next, _ := window(first.Add(time.Duration(hours)*time.Hour), hours); !next.Equal(to) {
				t.Errorf("every %d hours from minute %d on: a window ends at %v, the next begins at %v", hours, minute, to, next)
			}
		}
	}
}

func TestTheVerifierIsNotRetriedByLambda(t *testing.T) {
	found := 0
	for _, r := range ofType(synth(t, verified, fourStreams).root, "AWS::Lambda::EventInvokeConfig") {
		if plain(rendered(r.Properties["FunctionName"])) != "${Verifier}" {
			continue
		}
		found++
		if numeric(t, r.Properties["MaximumRetryAttempts"]) != 0 || numeric(t, r.Properties["MaximumEventAgeInSeconds"]) != 3600 {
			t.Errorf("asynchronous invocations: %v", r.Properties)
		}
	}
	if found != 1 {
		t.Errorf("%d configurations of the verifier, want 1", found)
	}
}

func TestTheLogIsKeptForAsLongAsTheVerifierReads(t *testing.T) {
	for _, hours := range settings.VerifyHours() {
		for minute := range 60 {
			now := time.Date(2026, 11, 22, 23, minute, 59, 0, time.UTC)
			begin, _ := verify.LogTime(window(now, hours))
			if age := now.Sub(begin); age > time.Duration(hours+settings.VerifierLogHours)*time.Hour {
				t.Errorf("every %d hours: a run at minute %d reads the log of %v ago", hours, minute, age)
			}
		}
	}
}

func TestTheAlarmsOfTheVerifier(t *testing.T) {
	got, without := described(synth(t, verified, fourStreams).root), described(synth(t, nil, fourStreams).root)
	maps.DeleteFunc(got, func(name, _ string) bool { return without[name] != "" })
	want := map[string]string{
		"archive-differs": "DataSink Differences Service=datasink Maximum >0, 1 of 1×300s",
		"verifier-errors": "AWS/Lambda Errors FunctionName=datasink-verifier Sum >0, 1 of 1×300s",
		"no-verification": "DataSink Differences Service=datasink SampleCount <1, 8 of 8×3600s, missing data breaching",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alarms (-want +got):\n%s", diff)
	}
}

func TestTheDashboardShowsTheVerifier(t *testing.T) {
	shown := func(context map[string]any) []string {
		names := make(map[string]bool)
		for _, w := range widgets(t, synth(t, context, fourStreams)) {
			for _, m := range w.Properties.Metrics {
				text := fmt.Sprint(m)
				for _, name := range []string{metric.Verified.Name, metric.Differences.Name, "datasink-verifier"} {
					if strings.Contains(text, " "+name+" ") {
						names[name] = true
					}
				}
			}
		}
		return slices.Sorted(maps.Keys(names))
	}
	if got := shown(verified); len(got) != 3 {
		t.Errorf("shows %v", got)
	}
	if got := shown(nil); len(got) != 0 {
		t.Errorf("without a verifier it shows %v", got)
	}
}
