package datasink

import "github.com/data-sink/data-sink/internal/pipeline/metric"

// verifySlack is the number of hours by which a verification may be late.
const verifySlack = 2

// verifierAlarms are the alarms of a deployment with a verifier. The errors of the
// verifier have an alarm of their own because it runs only once in some hours.
var verifierAlarms = []alarm{
	{
		id: "archive-differs", metric: ours(metric.Differences, theService), statistic: maximum, over: zero, in: spell{1, 1, fiveMinutes},
		means: "The archive does not have what was sent to Firehose, or the counters of a queue do not add up. Records may be missing or duplicated.",
		first: "search the verifier's log for archive_differs: it has stream, kind, object, bytes and reason. If the alarm firehose-freshness of that stream is on, fix its cause. Then run datasink verify for the hours in the stream_verified line.",
	},
	{
		id: "verifier-errors", metric: aws("Lambda", "Errors", theFunction(verifierFunction)), statistic: sum, over: zero, in: spell{1, 1, fiveMinutes},
		means: "The verifier could not verify every stream: something could not be read, or its 15 minutes were not enough. It does not verify the missing hours again, so a loss in these hours would not be noticed.",
		first: "search the verifier's log for stream_unverified, and run datasink verify for those hours. If the time was not enough, decrease verifyHours.",
	},
	{
		// Periods of an hour, because an alarm on one long period starts only after
		// several of them without data.
		id: "no-verification", metric: ours(metric.Differences, theService), absent: true, in: spell{verifySlack, verifySlack, hour}, andVerifyHours: true,
		means: "The verifier has verified no stream for longer than verifyHours. A loss would not be noticed.",
		first: "check that its schedule is enabled, and read the last lines of its log.",
	},
}
