// Package endpoints describes how the local pipeline tells the operator's verbs
// where it listens.
package endpoints

import "time"

// File is the file in the data folder of a running pipeline that holds Endpoints
// as JSON. It has mode 0600, because it holds a password and a token.
const File = "endpoints.json"

// LogFile is the file in the data folder that holds the log lines of all functions,
// each a JSON object with time, level, msg and function. OldLogFile holds older lines.
const (
	LogFile    = "log.ndjson"
	OldLogFile = "log.old.ndjson"
)

// ClientsRefresh is how often the pipeline reads the document of the clients again. It is
// short, so that a rotation can be rehearsed.
const ClientsRefresh = time.Second

// Lag is how far the bridge and the Firehose of a stream are behind, in seconds: the
// age of the oldest record that each of them has not delivered, or 0. A stream that
// never had a tap has no bridge.
type Lag struct {
	Bridge   *float64 `json:"bridgeLagSeconds,omitempty"`
	Firehose float64  `json:"firehoseFreshnessSeconds"`
}

// Endpoints says where a pipeline listens. All URLs are loopback URLs.
type Endpoints struct {
	Deployment string `json:"deployment"`
	// APIURL is the HTTP API.
	APIURL string `json:"apiUrl"`
	// User and Password are the credentials of a client.
	User     string `json:"user"`
	Password string `json:"password"`
	// ClientsFile is the file with the document of the clients.
	ClientsFile string `json:"clientsFile,omitempty"`
	// S3URL is the S3 API with the archive in Bucket, AWSURL the Kinesis API with the
	// tap. They are empty if the API is not served.
	S3URL  string `json:"s3Url"`
	AWSURL string `json:"awsUrl"`
	Bucket string `json:"bucket"`
	// AccessKey and SecretKey sign requests to S3URL and AWSURL. They are empty if
	// any credentials will do.
	AccessKey string `json:"accessKey,omitempty"`
	SecretKey string `json:"secretKey,omitempty"`
	// FlushSeconds is how long Firehose buffers.
	FlushSeconds float64 `json:"flushSeconds"`
	// OperatorURL answers requests with "Authorization: Bearer <Token>":
	//
	//	GET /inspect  drain.Inspection
	//	GET /lags     Lag of each stream, by name
	//	GET /direct   ingest's log lines of direct records
	//	GET /packed   the log lines of packed records, of the bridge and the drainer
	OperatorURL string `json:"operatorUrl"`
	Token       string `json:"token"`
}
