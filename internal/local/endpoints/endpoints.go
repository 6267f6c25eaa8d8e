// Package endpoints is where the pipeline of this machine tells the operator's
// command where it listens, and in which words it answers.
package endpoints

import "time"

// File is the file in the data folder of a running pipeline that holds Endpoints
// as JSON. Only its owner may read it.
const File = "endpoints.json"

// LogFile is the file in the data folder that holds the log lines of all functions,
// each a JSON object with time, level, msg and function. OldLogFile holds older lines.
const (
	LogFile    = "log.ndjson"
	OldLogFile = "log.old.ndjson"
)

// Endpoints is where a pipeline listens.
type Endpoints struct {
	Deployment string `json:"deployment"`
	APIURL     string `json:"apiUrl"`
	// User and Password are those of the only client.
	User     string `json:"user"`
	Password string `json:"password"`
	// S3URL and Bucket are the archive; S3URL is empty when it is not served.
	S3URL  string `json:"s3Url"`
	Bucket string `json:"bucket"`
	// FlushSeconds is how long its Firehose buffers.
	FlushSeconds float64 `json:"flushSeconds"`
	// OperatorURL answers:
	//
	//	GET /inspect                  drain.Inspection
	//	GET /tap/{stream}?since=TIME  a TapLine for each record that arrived then or
	//	                              later, without since from now on; it ends with
	//	                              the caller, or with &until=TIME
	//	GET /direct                   ingest's log lines of direct records
	//	GET /packed                   the bridge's log lines of packed records
	//
	// Times are in the form of RFC 3339.
	OperatorURL string `json:"operatorUrl"`
}

// TapLine is a record of the tap.
type TapLine struct {
	Shard        string `json:"shard"`
	Sequence     string `json:"sequence"`
	PartitionKey string `json:"partitionKey"`
	// ReceivedAt is when Kinesis took the record.
	ReceivedAt time.Time `json:"receivedAt"`
	Body       []byte    `json:"body"`
}
