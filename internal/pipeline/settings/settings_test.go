package settings_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

const aSecret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:redis-AbCdEf"

func TestDefaultsOfTheSettings(t *testing.T) {
	got, err := settings.Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := settings.Settings{
		Name: "datasink", StreamsFile: "streams.json", Architecture: "arm64", Profile: "standard", Cache: "nodes", CacheMaxGB: 1, Egress: "endpoints", Front: "api", IdempotencyMinutes: 60,
		CacheNodeType: "cache.t4g.small", CacheShards: 1, CacheReplicas: 1, CacheDurability: "disabled",
		ThrottleRate: 5000, ThrottleBurst: 5000, IngestMemory: 256, DrainerMemory: 256, BridgeMemory: 128, DrainerConcurrency: 20, StreamDrainers: 10,
		MaxBodyBytes: 4194304, MaxDecodedBytes: 16777216, LogRetentionDays: 30, StreamMetrics: "few", LakeFrom: "2026-01-01",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the defaults differ (-want +got):\n%s", diff)
	}
}

func TestSettingsTakeWhatTheCommandLineAndCdkJSONGive(t *testing.T) {
	got, err := settings.Parse(map[string]any{
		"name": "shop", "cacheShards": "3", "cacheReplicas": 2.0, "tracing": true, "ingestConcurrency": 100.0, "waitReplicas": "1",
		// The CDK CLI keeps these keys in the same context.
		"aws:cdk:enable-path-metadata": true, "@aws-cdk/core:newStyleStackSynthesis": true, "cli-telemetry": false, "acknowledged-issue-numbers": []any{1.0},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := settings.Default()
	want.Name, want.CacheShards, want.CacheReplicas, want.Tracing, want.IngestConcurrency, want.WaitReplicas = "shop", 3, 2, true, 100, 1
	want.MinReplicas = 1 // because of two replicas
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the settings differ (-want +got):\n%s", diff)
	}
}

func TestTheProfileChangesDefaults(t *testing.T) {
	small := settings.Default()
	small.Profile, small.Front, small.Egress, small.Cache, small.IngestConcurrency = "small", "url", "ipv6", "serverless", 100
	api := small
	api.Front, api.IngestConcurrency = "api", 0
	unreserved := small
	unreserved.IngestConcurrency = 0
	external := small
	external.RedisURL = "rediss://redis"
	for _, tt := range []struct {
		name    string
		context map[string]any
		want    settings.Settings
	}{
		{"all three levers", map[string]any{"profile": "small"}, small},
		{"a lever that is set", map[string]any{"profile": "small", "front": "api"}, api},
		{"a new account cannot reserve", map[string]any{"profile": "small", "ingestConcurrency": "0"}, unreserved},
		{"an existing Redis", map[string]any{"profile": "small", "redisUrl": "rediss://redis"}, external},
	} {
		got, err := settings.Parse(tt.context)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestTheNumberOfNodesAndEndpoints(t *testing.T) {
	for _, tt := range []struct {
		context map[string]any
		nodes   int
		// endpoints of streams that all have a tap, none of which has one, and mixed.
		all, none, mixed int
	}{
		{nil, 2, 6, 6, 8},
		{map[string]any{"egress": "endpoint", "cacheShards": "3", "cacheReplicas": "2"}, 9, 3, 3, 4},
		{map[string]any{"egress": "ipv6"}, 2, 0, 0, 0},
		{map[string]any{"egress": "both"}, 2, 6, 6, 8},
		{map[string]any{"cache": "serverless"}, 0, 6, 6, 8},
		{map[string]any{"redisUrl": "rediss://redis"}, 0, 0, 0, 0},
		{map[string]any{"vpcId": "vpc-01234567"}, 2, 0, 0, 0},
	} {
		s, err := settings.Parse(tt.context)
		if err != nil {
			t.Fatal(err)
		}
		if s.Nodes() != tt.nodes {
			t.Errorf("%v: %d nodes, want %d", tt.context, s.Nodes(), tt.nodes)
		}
		on, ending, off := stream.Stream{Tap: stream.TapOn}, stream.Stream{Tap: stream.TapEnding}, stream.Stream{Tap: stream.TapOff}
		for _, of := range []struct {
			want    int
			streams [][]stream.Stream
		}{{tt.all, [][]stream.Stream{nil, {on}}}, {tt.none, [][]stream.Stream{{off}, {ending, off}}}, {tt.mixed, [][]stream.Stream{{on, off}, {on, ending}}}} {
			for _, list := range of.streams {
				if got := s.InterfaceEndpoints(list); got != of.want {
					t.Errorf("%v, %v: %d endpoints, want %d", tt.context, list, got, of.want)
				}
			}
		}
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
		{map[string]any{"waitReplicas": "2"}, "waitReplicas: 2: the cache has 1 replicas (cacheReplicas)"},
		{map[string]any{"streamMetrics": "none"}, `streamMetrics: "none": want few or all`},
		{map[string]any{"alarmTopicArn": "arn:aws:sqs:eu-west-1:123456789012:alarms"}, `alarmTopicArn: "arn:aws:sqs:eu-west-1:123456789012:alarms": want the ARN of an SNS topic`},
		{map[string]any{"redisUrl": "http://redis"}, `redisUrl: scheme "http", want redis or rediss`},
		{map[string]any{"redisUrl": "rediss://"}, "redisUrl: has no host"},
		{map[string]any{"redisUrl": "rediss://redis?db=1"}, "redisUrl: the only parameter after the question mark is cluster=true"},
		{map[string]any{"redisUrl": "rediss://redis?cluster=yes"}, "redisUrl: the only parameter after the question mark is cluster=true"},
		{map[string]any{"redisUrl": "redis://redis", "cacheShards": "2"}, "cacheShards: has no effect with redisUrl"},
		{map[string]any{"redisUrl": "redis://redis", "redisSecret": "datasink.cache"}, `redisSecret: "datasink.cache": want the ARN of a secret`},
		{map[string]any{"redisUrl": "redis://redis", "redisSecret": aSecret[:len(aSecret)-6] + "*"}, "redisSecret: "},
		{map[string]any{"redisSecret": aSecret}, "redisSecret: works only with redisUrl"},
		{map[string]any{"vpcId": "default"}, `vpcId: "default": want the ID of a VPC`},
		{map[string]any{"throttleRate": "-1"}, `throttleRate: "-1"`},
		{map[string]any{"throttleBurst": "many"}, `throttleBurst: "many"`},
		{map[string]any{"ingestConcurrency": "-1"}, `ingestConcurrency: "-1"`},
		{map[string]any{"drainerConcurrency": "1"}, `drainerConcurrency: "1": want a whole number, 2 to 1000`},
		{map[string]any{"streamDrainers": "21"}, "streamDrainers: 21: more than drainerConcurrency, 20"},
		{map[string]any{"maxBodyBytes": "6000000"}, `maxBodyBytes: "6000000"`},
		{map[string]any{"maxDecodedBytes": "1000"}, "maxDecodedBytes: 1000: less than maxBodyBytes"},
		{map[string]any{"logRetentionDays": "31"}, `logRetentionDays: "31": want one of 1 3 5 7 14 30`},
		{map[string]any{"verifyHours": "5"}, `verifyHours: "5": want one of 0 1 2 3 4 6 8 12 24`},
		{map[string]any{"verifyHours": 48.0}, `verifyHours: "48": want one of 0 1 2`},
		{map[string]any{"verifyHours": true}, `verifyHours: "true": want one of 0 1 2`},
		{map[string]any{"verifyHours": "24", "logRetentionDays": "1"}, "verifyHours: 24: needs 27 hours of the bridge's log"},
		{map[string]any{"lake": "yes"}, `lake: "yes": want true or false`},
		{map[string]any{"lake": "true", "lakeFrom": "2026-02-30"}, `lakeFrom: "2026-02-30": want a day`},
		{map[string]any{"lake": "true", "lakeFrom": "2999-01-01"}, `lakeFrom: "2999-01-01": want a day as in 2026-01-31 that is not in the future`},
		{map[string]any{"lakeFrom": "2026-02-01"}, "lakeFrom: has no effect without lake=true"},
		{map[string]any{"objectsTopic": "1"}, `objectsTopic: "1": want true or false`},
		{map[string]any{"failedExpiresDays": "x"}, `failedExpiresDays: "x"`},
		{map[string]any{"tracing": "yes"}, `tracing: "yes": want true or false`},
		{map[string]any{"minReplicas": "2"}, "minReplicas: 2: the cache has 1 replicas"},
		{map[string]any{"minReplicas": "1", "redisUrl": "rediss://redis"}, "minReplicas: has no effect with redisUrl"},
		{map[string]any{"cacheShards": "300"}, "cacheShards: 300 with 1 cacheReplicas are 600 nodes"},
		{map[string]any{"cache": "serverless", "waitReplicas": "1"}, "waitReplicas: has no effect with cache=serverless"},
		{map[string]any{"profile": "small", "cacheNodeType": "cache.m7g.large"}, "cacheNodeType: has no effect with cache=serverless"},
		{map[string]any{"profile": "small", "cacheShards": "2"}, "cacheShards: has no effect with cache=serverless"},
		{map[string]any{"profile": "small", "cacheReplicas": "2"}, "cacheReplicas: has no effect with cache=serverless"},
		{map[string]any{"profile": "small", "cacheDurability": "async"}, "cacheDurability: has no effect with cache=serverless"},
		{map[string]any{"profile": "small", "minReplicas": "1"}, "minReplicas: has no effect with cache=serverless"},
		{map[string]any{"cache": "serverless", "redisUrl": "rediss://redis"}, "cache: has no effect with redisUrl"},
		{map[string]any{"cacheMaxGB": "2"}, "cacheMaxGB: has no effect with cache=nodes"},
		{map[string]any{"front": "url", "throttleRate": "100"}, "throttleRate: has no effect with front=url"},
		{map[string]any{"front": "url", "throttleBurst": "100"}, "throttleBurst: has no effect with front=url"},
		{map[string]any{"front": "url", "domainName": "sink.example.com", "certificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/0a1b"}, "domainName: does not work with front=url"},
		{map[string]any{"egress": "ipv6", "vpcId": "vpc-01234567"}, "egress: has no effect with vpcId"},
		{map[string]any{"egress": "ipv6", "redisUrl": "rediss://redis"}, "egress: has no effect with redisUrl"},
		{map[string]any{"bypassQueue": "1"}, `bypassQueue: "1": want true or false`},
		{map[string]any{"corsOrigins": "*"}, `corsOrigins: "*": want an exact origin`},
		{map[string]any{"corsOrigins": "https://a.example.com, https://b.example.com/"}, `corsOrigins: "https://b.example.com/": want an exact origin`},
		{map[string]any{"idempotencyMinutes": "0"}, `idempotencyMinutes: "0": want a whole number, 1 to 1440`},
		{map[string]any{"domainName": "https://example.com"}, `domainName: "https://example.com": want a host name`},
		{map[string]any{"domainName": "sink.example.com"}, "domainName: needs certificateArn"},
		{map[string]any{"certificateArn": "abc"}, `certificateArn: "abc": want the ARN of a certificate`},
		{map[string]any{"streams": []any{"a"}}, "streams: want one value"},
		{map[string]any{"redisURL": "redis://redis"}, "redisURL: no such setting"},
	} {
		_, err := settings.Parse(tt.context)
		if err == nil || !strings.Contains(err.Error(), "\n"+tt.want) {
			t.Errorf("settings.Parse(%v) = %v, want an error with a line that begins %q", tt.context, err, tt.want)
		}
	}
}

func with(context map[string]any, key string, value any) map[string]any {
	context = maps.Clone(context)
	context[key] = value
	return context
}

func TestAllProblemsOfTheSettingsAtOnce(t *testing.T) {
	_, err := settings.Parse(map[string]any{"name": "?", "cacheShards": "x", "tracing": "x", "cacheShard": "2"})
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
		_, err := settings.Parse(map[string]any{"redisUrl": url})
		if err == nil || !strings.Contains(err.Error(), "redisUrl: ") {
			t.Errorf("settings.Parse with %q = %v, want an error that names redisUrl", url, err)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
}
