package metric

import (
	"fmt"
	"strings"
)

// monthly is what CloudWatch charges for a custom metric, in dollars a month.
// https://aws.amazon.com/cloudwatch/pricing/
const monthly = 0.30

// Table is the reference of all metrics, with their cost, in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| metric | unit | from | each stream | what |\n|---|---|---|---|---|\n")
	perStream := map[PerStream]string{Never: "no", OnRequest: "with `streamMetrics=all`", Always: "yes"}
	always, onRequest := 0, 0
	for _, m := range declared {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Unit, m.By, perStream[m.PerStream], m.Means)
		switch m.PerStream {
		case Always:
			always++
		case OnRequest:
			onRequest++
		case Never:
		}
	}
	fmt.Fprintf(&b, "\nA metric costs $%.2f a month, for the hours in which it has values; counts of 0 are not written. The service as a whole has up to %d"+
		" ($%.2f), of which %d are refusals; each stream adds up to %d ($%.2f), with `streamMetrics=all` up to %d ($%.2f).\n",
		monthly, len(declared), monthly*float64(len(declared)), len(refused), always, monthly*float64(always), always+onRequest, monthly*float64(always+onRequest))
	return b.String()
}
