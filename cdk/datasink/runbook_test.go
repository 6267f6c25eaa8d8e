package datasink

import (
	"fmt"
	"strings"

	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// condition says when an alarm starts.
func (a alarm) condition() string {
	in := fmt.Sprintf("for %d min", a.in.seconds*a.in.periods/60)
	switch {
	case a.andVerifyHours:
		in = fmt.Sprintf("for `verifyHours` + %d hours", a.in.periods)
	case a.in.datapoints != a.in.periods:
		in = fmt.Sprintf("in %d of %d min", a.in.seconds*a.in.datapoints/60, a.in.seconds*a.in.periods/60)
	}
	if a.absent {
		return fmt.Sprintf("`%s` has no values %s", a.metric.name, in)
	}
	return fmt.Sprintf("`%s` over %s %s", a.metric.name, a.over.words, in)
}

// alarmGroups are all alarms in the order of the runbook.
var alarmGroups = []struct {
	of     string
	alarms []alarm
}{
	{"each stream", streamAlarms},
	{"each stream with a tap", tapAlarms},
	{"the HTTP API (`front=api`)", apiAlarms},
	{"the function URL (`front=url`)", urlAlarms},
	{"a cache with nodes (`cache=nodes`)", cacheAlarms},
	{"a serverless cache (`cache=serverless`)", serverlessAlarms},
	{"every deployment", serviceAlarms},
	{"the bridge, if a stream has a tap", bridgeAlarms},
	{"the verifier (with `verifyHours`)", verifierAlarms},
}

// runbook is the table of all alarms in Markdown.
func runbook() string {
	var b strings.Builder
	for _, group := range alarmGroups {
		fmt.Fprintf(&b, "Alarms of %s:\n\n| alarm | starts when | meaning | what to do first |\n|---|---|---|---|\n", group.of)
		for _, a := range group.alarms {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", a.id, a.condition(), a.means, a.first)
		}
		b.WriteString("\n")
	}
	small := parsed(map[string]any{"profile": "small"})
	fmt.Fprintf(&b, "An alarm costs $0.10 a month. A deployment has %d alarms with the default settings and %d with `profile=small`, or %d and %d if no stream has a tap.\n"+
		"Each stream has %d, or %d without a tap, and the verifier has %d.\n",
		countAlarms(settings.Default(), stream.TapOn), countAlarms(small, stream.TapOn), countAlarms(settings.Default(), stream.TapOff), countAlarms(small, stream.TapOff),
		len(streamAlarms)+len(tapAlarms), len(streamAlarms), len(verifierAlarms))
	return b.String()
}

// countAlarms returns the number of alarms of a deployment, without those of its streams.
func countAlarms(s settings.Settings, tap stream.Tap) int {
	w := watched{Settings: s, streams: []stream.Stream{{Tap: tap}}, apiID: jsii.String(""), cacheGroup: jsii.String(""), bucket: jsii.String("")}
	count := 0
	for _, a := range w.alarms() {
		count += len(a.metric.targets(w))
	}
	return count
}

// parsed returns valid settings.
func parsed(context map[string]any) settings.Settings {
	s, err := settings.Parse(context)
	if err != nil {
		panic(err)
	}
	return s
}
