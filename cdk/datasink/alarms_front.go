package datasink

import "fmt"

// maxServerErrors and maxClientErrors are shares of the requests to the HTTP API. A
// refused request is, in practice, a lost record.
const maxServerErrors, maxClientErrors = 0.01, 0.05

// maxURLServerErrors and maxURLClientErrors are requests to the function URL in 5 min.
// Lambda publishes their number and not their share. Scanners, which every public address
// attracts, cause some 4xx.
const maxURLServerErrors, maxURLClientErrors = 5, 100

func share(of float64) string { return fmt.Sprintf("%g %% of the requests", of*100) }

// apiAlarms are the alarms of the HTTP API. The average of its metrics 4xx and 5xx is
// their share of the requests.
var apiAlarms = []alarm{
	{
		id:    "server-errors",
		means: "Requests are answered with 5xx. Their records are lost unless the clients retry.",
		first: "call GET /health. Search ingest's log for record_refused and archive_failed, and the access log of the API for integrationError.",

		namespace: "AWS/ApiGateway", metric: "5xx", statistic: "Average", targets: theAPI,
		seconds: fiveMinutes, datapoints: 1, periods: 1, limit: fixed(maxServerErrors, share(maxServerErrors)),
	},
	{
		id:    "client-errors",
		means: "Requests are refused with 4xx, and their records are lost. 429 is the throttle of the API.",
		first: "find the code in the metrics whose names begin with Refused, and the client and the stream in ingest's log (record_refused, authentication_failed).",

		namespace: "AWS/ApiGateway", metric: "4xx", statistic: "Average", targets: theAPI,
		seconds: fiveMinutes, datapoints: 3, periods: 3, limit: fixed(maxClientErrors, share(maxClientErrors)),
	},
	{
		id:    "ingest-throttles",
		means: "Lambda throttles ingest, and clients get 503. Their records are lost unless the clients retry.",
		first: "increase ingestConcurrency, or the account's quota of concurrent executions.",

		namespace: "AWS/Lambda", metric: "Throttles", statistic: "Sum", targets: theFunction("ingest"),
		seconds: minute, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
}

// urlAlarms are the alarms of the function URL.
var urlAlarms = []alarm{
	{
		id:    "server-errors",
		means: "Requests are answered with 5xx. Their records are lost unless the clients retry.",
		first: "call GET /health, and search ingest's log for record_refused and archive_failed.",

		namespace: "AWS/Lambda", metric: "Url5xxCount", statistic: "Sum", targets: theFunction("ingest"),
		seconds: fiveMinutes, datapoints: 1, periods: 1, limit: fixed(maxURLServerErrors, fmt.Sprint(maxURLServerErrors)),
	},
	{
		id:    "client-errors",
		means: "Many requests are refused with 4xx, and their records are lost. 429 means that ingestConcurrency is reached.",
		first: "find the code in the metrics whose names begin with Refused, and the client and the stream in ingest's log (record_refused, authentication_failed).",

		namespace: "AWS/Lambda", metric: "Url4xxCount", statistic: "Sum", targets: theFunction("ingest"),
		seconds: fiveMinutes, datapoints: 3, periods: 3, limit: fixed(maxURLClientErrors, fmt.Sprint(maxURLClientErrors)),
	},
	{
		id:    "ingest-throttles",
		means: "Lambda throttles ingest, and clients get 429. Their records are lost unless the clients retry.",
		first: "increase ingestConcurrency, or the account's quota of concurrent executions.",

		namespace: "AWS/Lambda", metric: "Throttles", statistic: "Sum", targets: theFunction("ingest"),
		seconds: minute, datapoints: 1, periods: 1, limit: fixed(0, "0"),
	},
}
