package metric_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/rig/readmetest"
)

var update = flag.Bool("update", false, "rewrite the table of metrics in cdk/README.md")

// monthly is the price of a custom metric in CloudWatch, in dollars a month.
// https://aws.amazon.com/cloudwatch/pricing/
const monthly = 0.30

func TestReadmeHasTheMetrics(t *testing.T) {
	t.Parallel()
	readmetest.Section(t, "../../../cdk/README.md", "metrics", table(), *update)
}

// table returns the reference of all metrics in Markdown.
func table() string {
	var b strings.Builder
	b.WriteString("| metric | unit | function | for each stream | meaning |\n|---|---|---|---|---|\n")
	perStream := map[metric.PerStream]string{metric.Never: "no", metric.OnRequest: "with `streamMetrics=all`", metric.Always: "yes"}
	count := make(map[metric.PerStream]int)
	all := metric.All()
	for _, m := range all {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Unit, m.By, perStream[m.PerStream], m.Means)
		count[m.PerStream]++
	}
	few, most := count[metric.Always], count[metric.Always]+count[metric.OnRequest]
	fmt.Fprintf(&b, "\nA metric costs $%.2f a month, in proportion to the hours in which it has values. Counts of 0 are not written. The deployment has up to %d metrics ($%.2f).\n"+
		"Each stream adds up to %d ($%.2f), or up to %d ($%.2f) with `streamMetrics=all`.\n",
		monthly, len(all), monthly*float64(len(all)), few, monthly*float64(few), most, monthly*float64(most))
	return b.String()
}
