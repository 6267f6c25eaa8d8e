//go:build e2e

package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	local "github.com/data-sink/data-sink/internal/local/cloud"
)

// invocation is the result of an invocation.
type invocation struct {
	// failure is the function's error; empty if there is none.
	failure string
	answer  []byte
	// log is what all invocations logged meanwhile.
	log string
}

// invoke invokes a function and waits for its answer.
func (c *cloud) invoke(tb testing.TB, name, event string) invocation {
	tb.Helper()
	began := time.Now()
	out, err := c.lambda.Invoke(tb.Context(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte(event)})
	if err != nil {
		tb.Fatal(err)
	}
	i := invocation{answer: out.Payload, log: c.log(tb, name, began)}
	if out.FunctionError != nil {
		i.failure = *out.FunctionError + ": " + string(out.Payload)
	}
	return i
}

// log returns what a function has logged since a time.
func (c *cloud) log(tb testing.TB, name string, since time.Time) string {
	tb.Helper()
	_, short, _ := strings.Cut(name, "-")
	in := map[string]any{"logGroupName": "/" + stackName + "/" + short, "startTime": since.UnixMilli()}
	var out struct{ Events []struct{ Message string } }
	c.json(tb, "logs", "Logs_20140328.FilterLogEvents", in, &out)
	var log strings.Builder
	for _, e := range out.Events {
		log.WriteString(e.Message + "\n")
	}
	return log.String()
}

// status returns the HTTP status of ingest's answer; 0 for anything else.
func (i invocation) status() int {
	var response struct{ StatusCode int }
	_ = json.Unmarshal(i.answer, &response) // Other answers have no status.
	return response.StatusCode
}

// function is the configuration of a deployed function.
type function struct {
	role      string
	variables map[string]string
	timeout   time.Duration
}

func (c *cloud) function(tb testing.TB, name string) function {
	tb.Helper()
	out, err := c.lambda.GetFunctionConfiguration(tb.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &name})
	if err != nil {
		tb.Fatal(err)
	}
	return function{
		role:      (*out.Role)[strings.LastIndex(*out.Role, "/")+1:],
		variables: out.Environment.Variables, timeout: time.Duration(*out.Timeout) * time.Second,
	}
}

// restart sets the environment and the time-out of a function, which starts a new
// process.
func (c *cloud) restart(tb testing.TB, name string, f function) {
	tb.Helper()
	_, err := c.lambda.UpdateFunctionConfiguration(tb.Context(), &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &name, Environment: &types.Environment{Variables: f.variables}, Timeout: aws.Int32(int32(f.timeout / time.Second)),
	})
	if err != nil {
		tb.Fatal(err)
	}
	await(tb, started, name+" to restart", func() error {
		out, err := c.lambda.GetFunctionConfiguration(tb.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &name})
		if err != nil {
			return err
		}
		if out.LastUpdateStatus != types.LastUpdateStatusSuccessful {
			return fmt.Errorf("its update is %s", out.LastUpdateStatus)
		}
		return nil
	})
}

// kinesisEvent is the event with which a stream's mapping invokes the bridge for
// one record.
func kinesisEvent(stream string, data []byte) string {
	return string(local.KinesisEvent(local.EventRecord{Stream: stackName + "." + stream, Shard: "shardId-000000000000", Record: local.Record{
		SequenceNumber: "49590338271490256608559692538361571095921575989136588898", PartitionKey: "key", ArrivedAt: time.Now(), Data: data,
	}}))
}

// postEvent returns the event of a POST that API Gateway sends to ingest.
func postEvent(tb testing.TB, stream, user, password string, body []byte) string {
	tb.Helper()
	event, err := json.Marshal(map[string]any{
		"version": "2.0", "routeKey": "POST /archives/{stream}", "rawPath": "/archives/" + stream, "rawQueryString": "",
		"headers": map[string]string{
			"authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)),
			"content-type":  octets, "content-length": fmt.Sprint(len(body)),
		},
		"requestContext": map[string]any{
			"accountId": account, "apiId": "api", "stage": "$default", "requestId": "request", "routeKey": "POST /archives/{stream}",
			"http": map[string]any{"method": "POST", "path": "/archives/" + stream, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
		},
		"pathParameters":  map[string]string{"stream": stream},
		"isBase64Encoded": true, "body": body,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return string(event)
}

// healthEvent is the event of GET /health that API Gateway sends to ingest.
const healthEvent = `{"version":"2.0","routeKey":"GET /health","rawPath":"/health","rawQueryString":"","headers":{},` +
	`"requestContext":{"stage":"$default","requestId":"request","http":{"method":"GET","path":"/health","protocol":"HTTP/1.1"}},"isBase64Encoded":false}`
