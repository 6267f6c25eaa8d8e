package datasink

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
)

var serverless = map[string]any{"cache": "serverless", "cacheMaxGB": "3"}

func TestTheServerlessCache(t *testing.T) {
	root := synth(t, serverless, fourStreams).root
	for _, kind := range []string{"AWS::ElastiCache::ReplicationGroup", "AWS::ElastiCache::ParameterGroup", "AWS::ElastiCache::SubnetGroup"} {
		if n := len(ofType(root, kind)); n > 0 {
			t.Errorf("%d of %s", n, kind)
		}
	}
	cache := only(t, root, "AWS::ElastiCache::ServerlessCache")
	got := resolved(cache.Properties).(object)
	subnets, _ := got["SubnetIds"].([]any)
	if len(subnets) != 2 {
		t.Errorf("the cache is in the subnets %v, want two", subnets)
	}
	delete(got, "SubnetIds")
	want := object{
		"ServerlessCacheName": "datasink", "Description": "Data Sink datasink: the queue", "Engine": "valkey", "MajorEngineVersion": "9",
		// A minimum would be billed.
		"CacheUsageLimits":  object{"DataStorage": object{"Unit": "GB", "Maximum": 3.0}},
		"FinalSnapshotName": "datasink-final", "SecurityGroupIds": []any{"${ServerlessCacheGroup.GroupId}"}, "UserGroupId": "${ServerlessCacheUsers}",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cache (-want +got):\n%s", diff)
	}
	if cache.DeletionPolicy == "Snapshot" {
		t.Error("this resource type does not support the deletion policy Snapshot")
	}
	if got := rules(root)["ServerlessCacheGroup"]; !cmp.Equal(got, []string{"icmp 252-86 to 255.255.255.255/32", "tcp 6379-6379 from ${NetworkFunctionsGroup.GroupId}"}) {
		t.Errorf("rules %v", got)
	}
}

func TestTheUserOfTheServerlessCache(t *testing.T) {
	root := synth(t, serverless, fourStreams).root
	group := only(t, root, "AWS::ElastiCache::UserGroup").Properties
	if got := list(group["UserIds"]); !cmp.Equal(got, []string{"${ServerlessCacheUser}"}) || group["Engine"] != "valkey" {
		t.Errorf("users %v of %v, want only our own", got, group["Engine"])
	}
	user := only(t, root, "AWS::ElastiCache::User").Properties
	if user["UserName"] != "datasink" || user["UserId"] != "datasink-cache" {
		t.Errorf("user %v with ID %v", user["UserName"], user["UserId"])
	}
	if got, want := user["AccessString"], "on "+queue.ACL("datasink"); got != want {
		t.Errorf("the user may do %s, want what the queue needs, %s", got, want)
	}
	password := rendered(at(user, "AuthenticationMode", "Passwords").([]any)[0])
	if !strings.HasPrefix(password, "{{resolve:secretsmanager:") || !strings.Contains(password, ":SecretString:password:") {
		t.Errorf("password %s, want a reference to the secret", password)
	}
	secret := named(t, root, "AWS::SecretsManager::Secret", "ServerlessCacheSecret").Properties
	if got := at(secret, "GenerateSecretString", "SecretStringTemplate"); got != `{"username":"datasink"}` || secret["Name"] != "datasink.cache-user" {
		t.Errorf("secret %v with %v", secret["Name"], got)
	}
}

func TestTheFunctionsUseTheServerlessCache(t *testing.T) {
	root := synth(t, serverless, fourStreams).root
	for _, function := range []string{"Ingest", "Drainer"} {
		v := variables(t, root, function)
		const want = "rediss://${ServerlessCache.Endpoint.Address}:${ServerlessCache.Endpoint.Port}?cluster=true"
		if got := idInText.ReplaceAllString(rendered(v["DATASINK_REDIS_URL"]), "$1$2"); got != want {
			t.Errorf("%s uses Redis %s, want %s", function, got, want)
		}
		if got := plain(rendered(v["DATASINK_REDIS_SECRET"])); got != "${ServerlessCacheSecret}" {
			t.Errorf("%s uses the secret %s", function, got)
		}
	}
	want := expectedPermissions()
	for _, role := range []string{"IngestRole", "DrainerRole"} {
		secrets := want[role]["secretsmanager:GetSecretValue"]
		for i := range secrets {
			secrets[i] = strings.Replace(secrets[i], "datasink.cache-", "datasink.cache-user-", 1)
		}
	}
	if diff := cmp.Diff(want, allowed(t, synth(t, serverless, fourStreams))); diff != "" {
		t.Errorf("permissions differ (-want +got):\n%s", diff)
	}
}

func TestTheAlarmsOfTheServerlessCache(t *testing.T) {
	got := described(synth(t, serverless, fourStreams).root)
	maps.DeleteFunc(got, func(_, text string) bool { return !strings.HasPrefix(text, "AWS/ElastiCache") })
	want := map[string]string{
		"cache-memory":    "AWS/ElastiCache BytesUsedForCache ServerlessCacheName=datasink Maximum >2.25e+09, 3 of 5×60s",
		"cache-throttles": "AWS/ElastiCache ThrottledCmds ServerlessCacheName=datasink Sum >0, 3 of 5×60s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alarms (-want +got):\n%s", diff)
	}
}

func TestTheDashboardShowsTheServerlessCache(t *testing.T) {
	body := rendered(only(t, synth(t, serverless, fourStreams).root, "AWS::CloudWatch::Dashboard").Properties["DashboardBody"])
	for _, metric := range []string{"BytesUsedForCache", "ThrottledCmds"} {
		if !strings.Contains(body, `"AWS/ElastiCache","`+metric+`","ServerlessCacheName","datasink"`) {
			t.Errorf("the dashboard has no %s", metric)
		}
	}
}

// CloudFormation creates the new resources before it deletes the old ones, so a name that
// both have would make a deploy fail that changes a setting.
func TestNoNameIsUsedByBothSidesOfAChange(t *testing.T) {
	names := []string{"Name", "SecretName", "QueueName", "FunctionName", "LogGroupName", "AlarmName", "ServerlessCacheName", "UserId", "UserGroupId", "DashboardName"}
	without := synth(t, nil, fourStreams).root
	for _, context := range []map[string]any{serverless, byURL, byIPv6, {"profile": "small"}, {"redisUrl": "rediss://redis"}, verified} {
		with := synth(t, context, fourStreams).root
		for id, r := range with.Resources {
			if old, ok := without.Resources[id]; ok && old.Type == r.Type {
				continue // updated in place
			}
			for oldID, old := range without.Resources {
				for _, name := range names {
					text, ok := r.Properties[name].(string)
					if ok && old.Type == r.Type && old.Properties[name] == text {
						t.Errorf("%v: %s and %s, of type %s, both have %s %s", context, oldID, id, r.Type, name, text)
					}
				}
			}
		}
	}
}
