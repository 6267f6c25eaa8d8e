package datasink

import (
	"fmt"
	"strings"

	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// condition says when an alarm starts.
func (a alarm) condition() string {
	over := "over"
	if a.below {
		over = "under"
	}
	spell := fmt.Sprintf("for %d min", a.seconds*a.periods/60)
	if a.seconds == day {
		spell = fmt.Sprintf("for %d days", a.periods)
	}
	if a.datapoints != a.periods {
		spell = fmt.Sprintf("in %d of %d min", a.seconds*a.datapoints/60, a.seconds*a.periods/60)
	}
	what := "`" + a.metric + "`"
	if a.statistic == "SampleCount" {
		what = "number of values of " + what
	}
	return fmt.Sprintf("%s %s %s %s", what, over, a.limit.words, spell)
}

// alarmGroups are all alarms in the order of the runbook.
var alarmGroups = []struct {
	of     string
	alarms []alarm
}{
	{"each stream", streamAlarms},
	{"the deployment", serviceAlarms},
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
	count := 0
	for _, a := range serviceAlarms {
		count += len(a.targets(watched{Settings: settings.Default(), apiID: jsii.String(""), cacheGroup: jsii.String("")}))
	}
	fmt.Fprintf(&b, "An alarm costs $0.10 a month. The deployment has %d alarms with the default cache, each stream has %d, and the verifier has %d.\n", count, len(streamAlarms), len(verifierAlarms))
	return b.String()
}
