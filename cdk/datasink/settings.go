package datasink

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// settings are the choices of whoever deploys. They arrive as CDK context:
// `cdk deploy -c name=value`, or under "context" in cdk.json.
type settings struct {
	name, streamsFile, architecture string

	redisURL, redisSecret, vpcID string
	cacheNodeType                string
	cacheShards, cacheReplicas   int
	cacheDurability              string
	waitReplicas                 int

	throttleRate, throttleBurst         int
	ingestConcurrency                   int
	ingestMemory, drainerMemory         int // MB
	bridgeMemory                        int
	drainerConcurrency, streamDrainers  int
	maxBodyBytes, maxDecodedBytes       int
	logRetentionDays, failedExpiresDays int
	verifyHours                         int
	tracing                             bool
	streamMetrics, alarmTopicARN        string
	domainName, certificateARN          string
}

// cacheInCloud reports whether the stack creates the Redis itself.
func (s settings) cacheInCloud() bool { return s.redisURL == "" }

// inVPC reports whether ingest and drainer run in a VPC.
func (s settings) inVPC() bool { return s.cacheInCloud() || s.vpcID != "" }

// setting is one choice: its name in the context, its default in the form in
// which it would be given, what it means, and how a value is read.
type setting struct {
	name, byDefault, means string
	read                   func(s *settings, value string) error
}

// parseSettings reads the context of a CDK app. Its error lists every problem,
// each with the name of its setting.
func parseSettings(context map[string]any) (settings, error) {
	var s settings
	var problems []error
	given := make(map[string]bool)
	for _, d := range declared {
		value, err := contextValue(context[d.name])
		given[d.name] = value != ""
		if value == "" {
			value = d.byDefault
		}
		if err == nil && value != "" {
			err = d.read(&s, value)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", d.name, err))
		}
	}
	problems = append(problems, unknown(context)...)
	if len(problems) == 0 {
		problems = s.contradictions(given)
	}
	if len(problems) > 0 {
		return settings{}, fmt.Errorf("reading the settings:\n%w", errors.Join(problems...))
	}
	return s, nil
}

// contextValue is a value of the context as text: the command line gives
// strings, cdk.json may hold numbers and booleans too.
func contextValue(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		return strings.TrimSpace(v), nil
	case bool:
		return strconv.FormatBool(v), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	default:
		return "", errors.New("want one value, not a list or an object")
	}
}

// ownKey is the form of this app's keys. The CDK and its command keep keys of
// their own in the same context, all with a hyphen, a colon or an at sign.
var ownKey = regexp.MustCompile(`^[a-z][a-zA-Z]*$`)

func unknown(context map[string]any) []error {
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(context)) {
		isSetting := slices.ContainsFunc(declared, func(d setting) bool { return d.name == key })
		if ownKey.MatchString(key) && !isSetting {
			problems = append(problems, fmt.Errorf("%s: no such setting", key))
		}
	}
	return problems
}

// durable are the families of nodes that have durability modes.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Durability.Limitations.html
var durable = regexp.MustCompile(`^cache\.([rm][678]g|c[78]gn)\.`)

// contradictions lists what is wrong with settings that are good one by one.
func (s settings) contradictions(given map[string]bool) []error {
	var problems []error
	problem := func(name, format string, args ...any) {
		problems = append(problems, fmt.Errorf(name+": "+format, args...))
	}
	if !s.cacheInCloud() {
		for _, name := range []string{"cacheNodeType", "cacheShards", "cacheReplicas", "cacheDurability"} {
			if given[name] {
				problem(name, "has no meaning with redisUrl, for then the stack creates no cache")
			}
		}
	} else {
		if s.redisSecret != "" {
			problem("redisSecret", "only with redisUrl; the stack's own cache has a secret of its own")
		}
		if s.cacheDurability != "disabled" && !durable.MatchString(s.cacheNodeType) {
			problem("cacheDurability", "%s needs a cacheNodeType of a family r6g to r8g, m6g to m8g, c7gn or c8gn, not %s", s.cacheDurability, s.cacheNodeType)
		}
		if s.cacheDurability != "disabled" && s.cacheReplicas == 0 {
			problem("cacheDurability", "%s needs cacheReplicas of 1 or more", s.cacheDurability)
		}
		if s.waitReplicas > s.cacheReplicas {
			problem("waitReplicas", "%d: there are only %d cacheReplicas, so that no push would ever be confirmed", s.waitReplicas, s.cacheReplicas)
		}
	}
	if s.streamDrainers > s.drainerConcurrency {
		problem("streamDrainers", "%d: more than drainerConcurrency, %d, allows for all streams", s.streamDrainers, s.drainerConcurrency)
	}
	if s.maxDecodedBytes < s.maxBodyBytes {
		problem("maxDecodedBytes", "%d: less than maxBodyBytes, %d", s.maxDecodedBytes, s.maxBodyBytes)
	}
	if hours := s.verifyHours + verifierLogHours; s.verifies() && hours > s.logRetentionDays*24 {
		problem("verifyHours", "%d: needs %d hours of the bridge's log, more than logRetentionDays, %d, keeps", s.verifyHours, hours, s.logRetentionDays)
	}
	if (s.domainName == "") != (s.certificateARN == "") {
		problem("domainName", "goes together with certificateArn: give both or neither")
	}
	return problems
}

// settingsTable is the reference of all settings as a Markdown table.
func settingsTable() string {
	var b strings.Builder
	b.WriteString("| setting | default | meaning |\n|---|---|---|\n")
	for _, d := range declared {
		byDefault := "none"
		if d.byDefault != "" {
			byDefault = "`" + d.byDefault + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", d.name, byDefault, d.means)
	}
	return b.String()
}
