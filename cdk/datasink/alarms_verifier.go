package datasink

import "github.com/data-sink/data-sink/internal/pipeline/metric"

// verifySlack is the number of hours by which a verification may be late.
const verifySlack = 2

// verifierAlarms are the alarms of a deployment with a verifier. The errors of the
// verifier have an alarm of their own because it runs only once in some hours.
var verifierAlarms = []alarm{
	{
		id:    "archive-differs",
		means: "The archive does not have what was sent to Firehose, or the counters of a queue do not add up.",
		first: "search the verifier's log for archive_differs: it has stream, kind, object, bytes and reason. If the alarm firehose-freshness of that stream is on, fix its cause. Then run datasink verify for the hours in the stream_verified line.",

		namespace: metric.Namespace, metric: metric.Differences.Name, statistic: "Maximum", targets: theService,
		seconds: fiveMinutes, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
	{
		id:    "verifier-errors",
		means: "The verifier could not verify every stream: something could not be read, or its 15 minutes were not enough. It does not verify the missing hours again.",
		first: "search the verifier's log for stream_unverified, and run datasink verify for those hours. If the time was not enough, decrease verifyHours.",

		namespace: "AWS/Lambda", metric: "Errors", statistic: "Sum", targets: theFunction(verifierFunction),
		seconds: fiveMinutes, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
	{
		id:    "no-verification",
		means: "The verifier has verified no stream for longer than verifyHours.",
		first: "check that its schedule is enabled, and read the last lines of its log.",

		namespace: metric.Namespace, metric: metric.Differences.Name, statistic: "SampleCount", targets: theService,
		// Periods of an hour, because an alarm on one long period starts only after
		// several of them without data.
		seconds: hour, spell: func(w watched) int { return w.VerifyHours + verifySlack }, limit: fixed(1, "1"), below: true, missing: missingIsFailed,
	},
}
