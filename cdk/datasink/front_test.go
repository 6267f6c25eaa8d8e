package datasink

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var byURL = map[string]any{"front": "url"}

// The emulator does not check these permissions. On AWS, one alone is answered with 403.
func TestAFunctionURLNeedsBothPermissions(t *testing.T) {
	root := synth(t, byURL, fourStreams).root
	var got []object
	for _, r := range ofType(root, "AWS::Lambda::Permission") {
		got = append(got, resolved(r.Properties).(object))
	}
	slices.SortFunc(got, func(a, b object) int { return strings.Compare(a["Action"].(string), b["Action"].(string)) })
	want := []object{
		{"Action": "lambda:InvokeFunction", "FunctionName": "${Ingest.Arn}", "Principal": "*", "InvokedViaFunctionUrl": true},
		{"Action": "lambda:InvokeFunctionUrl", "FunctionName": "${Ingest.Arn}", "Principal": "*", "FunctionUrlAuthType": "NONE"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("permissions (-want +got):\n%s", diff)
	}
}

func TestTheFunctionURL(t *testing.T) {
	root := synth(t, byURL, fourStreams).root
	for id, r := range root.Resources {
		if strings.HasPrefix(r.Type, "AWS::ApiGatewayV2::") || id == "ApiAccessLogs" {
			t.Errorf("%s is a %s", id, r.Type)
		}
	}
	want := object{"AuthType": "NONE", "InvokeMode": "BUFFERED", "TargetFunctionArn": "${Ingest.Arn}"}
	if diff := cmp.Diff(want, resolved(only(t, root, "AWS::Lambda::Url").Properties)); diff != "" {
		t.Errorf("URL (-want +got):\n%s", diff)
	}
	// The attribute FunctionUrl ends with a slash, and clients append /archives/….
	const output = `https://{"Fn::Select":[2,{"Fn::Split":["/",{"Fn::GetAtt":["FunctionUrl`
	if got := rendered(root.Outputs["ApiUrl"].Value); !strings.HasPrefix(got, output) {
		t.Errorf("ApiUrl = %s, want the host of the URL without a slash", got)
	}
	// A flood of requests must leave executions for the other functions of the account.
	if got := named(t, root, "AWS::Lambda::Function", "Ingest").Properties["ReservedConcurrentExecutions"]; got != 100.0 {
		t.Errorf("reserved concurrency of ingest: %v, want 100", got)
	}
}

func TestTheAlarmsOfTheFunctionURL(t *testing.T) {
	got := described(synth(t, byURL, fourStreams).root)
	for name, want := range map[string]string{
		"server-errors":    "AWS/Lambda Url5xxCount FunctionName=datasink-ingest Sum >5, 1 of 1×300s",
		"client-errors":    "AWS/Lambda Url4xxCount FunctionName=datasink-ingest Sum >100, 3 of 3×300s",
		"ingest-throttles": "AWS/Lambda Throttles FunctionName=datasink-ingest Sum >0, 1 of 1×60s",
	} {
		if got[name] != want {
			t.Errorf("%s is on %q, want %q", name, got[name], want)
		}
	}
	for name, text := range got {
		if strings.HasPrefix(text, "AWS/ApiGateway") {
			t.Errorf("%s is about API Gateway", name)
		}
	}
}

func TestTheDashboardShowsTheFunctionURL(t *testing.T) {
	body := rendered(only(t, synth(t, byURL, fourStreams).root, "AWS::CloudWatch::Dashboard").Properties["DashboardBody"])
	for _, metric := range []string{"UrlRequestCount", "UrlRequestLatency", "Url4xxCount", "Url5xxCount"} {
		if !strings.Contains(body, `"AWS/Lambda","`+metric+`","FunctionName","datasink-ingest"`) {
			t.Errorf("the dashboard has no %s", metric)
		}
	}
	if strings.Contains(body, "AWS/ApiGateway") {
		t.Error("the dashboard shows an API")
	}
}

func TestOriginsThatMayCallTheAPI(t *testing.T) {
	const origins = "https://app.example.com, http://localhost:3000"
	want := object{
		"AllowOrigins": []any{"https://app.example.com", "http://localhost:3000"}, "AllowMethods": []any{"POST"},
		"AllowHeaders":  []any{"authorization", "content-type", "content-encoding", "idempotency-key"},
		"ExposeHeaders": []any{"retry-after", "idempotency-replayed", "apigw-requestid"},
		"MaxAge":        7200.0, "AllowCredentials": false,
	}
	api := only(t, synth(t, map[string]any{"corsOrigins": origins}, fourStreams).root, "AWS::ApiGatewayV2::Api").Properties
	if diff := cmp.Diff(want, api["CorsConfiguration"]); diff != "" {
		t.Errorf("CORS of the API (-want +got):\n%s", diff)
	}
	url := only(t, synth(t, with(byURL, "corsOrigins", origins), fourStreams).root, "AWS::Lambda::Url").Properties
	if diff := cmp.Diff(want, url["Cors"]); diff != "" {
		t.Errorf("CORS of the URL (-want +got):\n%s", diff)
	}
	if cors := only(t, synth(t, nil, fourStreams).root, "AWS::ApiGatewayV2::Api").Properties["CorsConfiguration"]; cors != nil {
		t.Errorf("without the setting, CORS is %v", cors)
	}
}

func TestACustomDomainReplacesTheDefaultEndpoint(t *testing.T) {
	for want, context := range map[bool]map[string]any{
		true:  {"domainName": "sink.example.com", "certificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/0a1b"},
		false: nil,
	} {
		if got := only(t, synth(t, context, fourStreams).root, "AWS::ApiGatewayV2::Api").Properties["DisableExecuteApiEndpoint"]; got != want {
			t.Errorf("%v: DisableExecuteApiEndpoint = %v, want %v", context, got, want)
		}
	}
}

// The route that clients use for batches exists only after the function that
// understands it: CloudFormation updates a resource after those on which it depends.
func TestTheRoutesAreUpdatedAfterIngest(t *testing.T) {
	root := synth(t, nil, fourStreams).root
	for id, r := range ofType(root, "AWS::ApiGatewayV2::Route") {
		if !dependsOn(root, id, "Ingest") {
			t.Errorf("route %v does not depend on ingest", r.Properties["RouteKey"])
		}
	}
}

// dependsOn reports whether a resource depends on another, by references or directly,
// maybe through others. on is the logical ID without its hash.
func dependsOn(tpl template, id, on string) bool {
	seen := make(map[string]bool)
	var visit func(id string) bool
	visit = func(id string) bool {
		if seen[id] {
			return false
		}
		seen[id] = true
		r := tpl.Resources[id]
		text := asJSON(r.Properties) + asJSON(r.DependsOn)
		for other := range tpl.Resources {
			if strings.Contains(text, `"`+other+`"`) && (plain(other) == on || visit(other)) {
				return true
			}
		}
		return false
	}
	return visit(id)
}
