package datasink

import "fmt"

// maxServerErrors and maxClientErrors are shares of the requests to the HTTP API. A
// refused request is, in practice, a lost record.
const maxServerErrors, maxClientErrors = 0.01, 0.05

// maxURLServerErrors and maxURLClientErrors are requests to the function URL in 5 min.
// Lambda publishes their number and not their share. Scanners, which every public address
// attracts, cause some 4xx.
const maxURLServerErrors, maxURLClientErrors = 5, 100

func share(of float64) limit { return fixed(of, fmt.Sprintf("%g %% of the requests", of*100)) }

const (
	serverErrors = "Requests are answered with 5xx. Their records are lost unless the clients retry."
	// findRefusals is what to do first about client errors.
	findRefusals = "find the code in the metrics whose names begin with Refused, and the client and the stream in ingest's log (record_refused, authentication_failed)."
	moreIngest   = "increase ingestConcurrency, or the account's quota of concurrent executions."
)

// apiAlarms are the alarms of the HTTP API. The average of its metrics 4xx and 5xx is
// their share of the requests.
var apiAlarms = []alarm{
	{
		id: "server-errors", metric: aws("ApiGateway", "5xx", theAPI), statistic: average, over: share(maxServerErrors), in: spell{1, 1, fiveMinutes},
		means: serverErrors,
		first: "call GET /health. Search ingest's log for record_refused and archive_failed, and the access log of the API for integrationError.",
	},
	{
		id: "client-errors", metric: aws("ApiGateway", "4xx", theAPI), statistic: average, over: share(maxClientErrors), in: spell{3, 3, fiveMinutes},
		means: "Requests are refused with 4xx, and their records are lost. 429 is the throttle of the API.",
		first: findRefusals,
	},
	{
		id: "ingest-throttles", metric: aws("Lambda", "Throttles", theFunction("ingest")), statistic: sum, over: zero, in: spell{1, 1, minute},
		means: "Lambda throttles ingest, and clients get 503. Their records are lost unless the clients retry.",
		first: moreIngest,
	},
}

// urlAlarms are the alarms of the function URL.
var urlAlarms = []alarm{
	{
		id: "server-errors", metric: aws("Lambda", "Url5xxCount", theFunction("ingest")), statistic: sum, over: count(maxURLServerErrors), in: spell{1, 1, fiveMinutes},
		means: serverErrors,
		first: "call GET /health, and search ingest's log for record_refused and archive_failed.",
	},
	{
		id: "client-errors", metric: aws("Lambda", "Url4xxCount", theFunction("ingest")), statistic: sum, over: count(maxURLClientErrors), in: spell{3, 3, fiveMinutes},
		means: "Many requests are refused with 4xx, and their records are lost. 429 means that ingestConcurrency is reached.",
		first: findRefusals,
	},
	{
		id: "ingest-throttles", metric: aws("Lambda", "Throttles", theFunction("ingest")), statistic: sum, over: zero, in: spell{1, 1, minute},
		means: "Lambda throttles ingest, and clients get 429. Their records are lost unless the clients retry.",
		first: moreIngest,
	},
}
