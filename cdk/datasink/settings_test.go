package datasink

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

const aSecret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:redis-AbCdEf"

func TestDefaultsOfTheSettings(t *testing.T) {
	got, err := parseSettings(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := settings{
		name: "datasink", streamsFile: "streams.json", architecture: "arm64",
		cacheNodeType: "cache.t4g.small", cacheShards: 1, cacheReplicas: 1, cacheDurability: "disabled",
		throttleRate: 5000, throttleBurst: 5000, ingestMemory: 256, drainerMemory: 256, bridgeMemory: 128, drainerConcurrency: 20, streamDrainers: 10,
		maxBodyBytes: 4194304, maxDecodedBytes: 16777216, logRetentionDays: 30, streamMetrics: "few",
	}
	if got != want {
		t.Errorf("parseSettings(nil) = %+v, want %+v", got, want)
	}
}

func TestSettingsTakeWhatTheCommandLineAndCdkJSONGive(t *testing.T) {
	got, err := parseSettings(map[string]any{
		"name": "shop", "cacheShards": "3", "cacheReplicas": 2.0, "tracing": true, "ingestConcurrency": 100.0, "waitReplicas": "1",
		// The command keeps these in the same context.
		"aws:cdk:enable-path-metadata": true, "@aws-cdk/core:newStyleStackSynthesis": true, "cli-telemetry": false, "acknowledged-issue-numbers": []any{1.0},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.name != "shop" || got.cacheShards != 3 || got.cacheReplicas != 2 || !got.tracing || got.ingestConcurrency != 100 || got.waitReplicas != 1 {
		t.Errorf("parseSettings = %+v", got)
	}
}

func TestABadValueStopsTheSynthAndIsNamed(t *testing.T) {
	durable := map[string]any{"cacheDurability": "sync", "cacheNodeType": "cache.m7g.large"}
	for _, tt := range []struct {
		context map[string]any
		want    string
	}{
		{map[string]any{"name": "Shop"}, `name: deployment name "Shop"`},
		{map[string]any{"name": "a-name-of-21-characters"}, "name: deployment name"},
		{map[string]any{"architecture": "arm"}, `architecture: "arm": want arm64 or x86_64`},
		{map[string]any{"cacheNodeType": "t4g.small"}, `cacheNodeType: "t4g.small": want a node type`},
		{map[string]any{"cacheShards": "0"}, `cacheShards: "0": want a whole number, 1 to 500`},
		{map[string]any{"cacheShards": 1.5}, `cacheShards: "1.5": want a whole number`},
		{map[string]any{"cacheReplicas": "6"}, `cacheReplicas: "6": want a whole number, 0 to 5`},
		{map[string]any{"cacheDurability": "always"}, `cacheDurability: "always": want disabled or async or sync`},
		{map[string]any{"cacheDurability": "sync"}, "cacheDurability: sync needs a cacheNodeType of a family"},
		{with(durable, "cacheReplicas", "0"), "cacheDurability: sync needs cacheReplicas of 1 or more"},
		{map[string]any{"waitReplicas": "2"}, "waitReplicas: 2: there are only 1 cacheReplicas"},
		{map[string]any{"streamMetrics": "none"}, `streamMetrics: "none": want few or all`},
		{map[string]any{"alarmTopicArn": "arn:aws:sqs:eu-west-1:123456789012:alarms"}, `alarmTopicArn: "arn:aws:sqs:eu-west-1:123456789012:alarms": want the ARN of an SNS topic`},
		{map[string]any{"redisUrl": "http://redis"}, `redisUrl: scheme "http", want redis or rediss`},
		{map[string]any{"redisUrl": "rediss://"}, "redisUrl: has no host"},
		{map[string]any{"redisUrl": "rediss://redis?db=1"}, "redisUrl: after the question mark only cluster=true"},
		{map[string]any{"redisUrl": "rediss://redis?cluster=yes"}, "redisUrl: after the question mark only cluster=true"},
		{map[string]any{"redisUrl": "redis://redis", "cacheShards": "2"}, "cacheShards: has no meaning with redisUrl"},
		{map[string]any{"redisUrl": "redis://redis", "redisSecret": "datasink.cache"}, `redisSecret: "datasink.cache": want the ARN of a secret`},
		{map[string]any{"redisUrl": "redis://redis", "redisSecret": aSecret[:len(aSecret)-6] + "*"}, "redisSecret: "},
		{map[string]any{"redisSecret": aSecret}, "redisSecret: only with redisUrl"},
		{map[string]any{"vpcId": "default"}, `vpcId: "default": want a VPC's id`},
		{map[string]any{"throttleRate": "-1"}, `throttleRate: "-1"`},
		{map[string]any{"throttleBurst": "many"}, `throttleBurst: "many"`},
		{map[string]any{"ingestConcurrency": "-1"}, `ingestConcurrency: "-1"`},
		{map[string]any{"drainerConcurrency": "1"}, `drainerConcurrency: "1": want a whole number, 2 to 1000`},
		{map[string]any{"streamDrainers": "21"}, "streamDrainers: 21: more than drainerConcurrency, 20"},
		{map[string]any{"maxBodyBytes": "6000000"}, `maxBodyBytes: "6000000"`},
		{map[string]any{"maxDecodedBytes": "1000"}, "maxDecodedBytes: 1000: less than maxBodyBytes"},
		{map[string]any{"logRetentionDays": "31"}, `logRetentionDays: "31": want one of 1 3 5 7 14 30`},
		{map[string]any{"failedExpiresDays": "x"}, `failedExpiresDays: "x"`},
		{map[string]any{"tracing": "yes"}, `tracing: "yes": want true or false`},
		{map[string]any{"domainName": "https://example.com"}, `domainName: "https://example.com": want a host name`},
		{map[string]any{"domainName": "sink.example.com"}, "domainName: goes together with certificateArn"},
		{map[string]any{"certificateArn": "abc"}, `certificateArn: "abc": want the ARN of a certificate`},
		{map[string]any{"streams": []any{"a"}}, "streams: want one value"},
		{map[string]any{"redisURL": "redis://redis"}, "redisURL: no such setting"},
	} {
		_, err := parseSettings(tt.context)
		if err == nil || !strings.Contains(err.Error(), "\n"+tt.want) {
			t.Errorf("parseSettings(%v) = %v, want an error with a line that begins %q", tt.context, err, tt.want)
		}
	}
}

func with(context map[string]any, key string, value any) map[string]any {
	context = maps.Clone(context)
	context[key] = value
	return context
}

func TestAllProblemsOfTheSettingsAtOnce(t *testing.T) {
	_, err := parseSettings(map[string]any{"name": "?", "cacheShards": "x", "tracing": "x", "cacheShard": "2"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"name", "cacheShards", "tracing", "cacheShard"} {
		if !strings.Contains(err.Error(), "\n"+name+": ") {
			t.Errorf("the error does not name %s:\n%v", name, err)
		}
	}
}

func TestAPasswordInTheRedisURLIsRefusedAndNotRepeated(t *testing.T) {
	for _, url := range []string{"rediss://user:hunter2@redis:6379", "rediss://:hunter2@redis", "rediss://hunter2@redis", "rediss://:hunter2@re dis"} {
		_, err := parseSettings(map[string]any{"redisUrl": url})
		if err == nil || !strings.Contains(err.Error(), "redisUrl: ") {
			t.Errorf("parseSettings with %q = %v, want an error that names redisUrl", url, err)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
}

func TestTheSettingsTableHasEverySettingOnce(t *testing.T) {
	table := settingsTable()
	for _, d := range declared {
		row := fmt.Sprintf("| `%s` | ", d.name)
		if strings.Count(table, row) != 1 || d.means == "" {
			t.Errorf("the table has %d rows for %s", strings.Count(table, row), d.name)
		}
	}
	if lines := strings.Count(table, "\n"); lines != len(declared)+2 {
		t.Errorf("the table has %d lines for %d settings", lines, len(declared))
	}
}

func TestStreamsAreFoundFromTheRoot(t *testing.T) {
	root, err := findRoot(mustAbs(t, "."))
	if err != nil {
		t.Fatal(err)
	}
	if want := mustAbs(t, "../.."); root != want {
		t.Errorf("findRoot = %s, want %s", root, want)
	}
	if _, err := findRoot(t.TempDir()); err == nil {
		t.Error("findRoot outside of a module found one")
	}
	none := func(string) string { return "" }
	d, err := load(nil, root, none)
	if err != nil || len(d.streams.Names()) == 0 {
		t.Errorf("load = %v, %v, want the repository's streams", d.streams, err)
	}
	for _, path := range []string{"none.json", filepath.Join(t.TempDir(), "none.json")} {
		if _, err := load(map[string]any{"streams": path}, root, none); err == nil || !strings.Contains(err.Error(), "none.json") {
			t.Errorf("load with streams %s = %v, want an error that names the file", path, err)
		}
	}
	if _, err := load(map[string]any{"vpcId": "vpc-01234567"}, root, none); err == nil || !strings.Contains(err.Error(), "vpcId: ") {
		t.Errorf("load of a VPC without credentials = %v, want an error that names vpcId", err)
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}
