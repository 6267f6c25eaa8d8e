package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// jsonBody returns a body of a size as an application would send it.
func jsonBody(size int) []byte {
	const object = `{"orderId":"8d7c11e0","amount":1999,"currency":"EUR","note":"two days","items":[17,23]},`
	return append(bytes.Repeat([]byte(object), size/len(object)+1)[:size-1], ']')
}

// randomBody returns a body of a size that does not compress.
func randomBody(size int) []byte {
	source := rand.New(rand.NewPCG(1, uint64(size))) // the same bytes in every run
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(source.Uint32())
	}
	return body
}

// postEvent returns the event of a POST through an HTTP API, with the body as text
// or as base64.
func postEvent(body []byte, asText bool) []byte {
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "POST /archives/{stream}", RawPath: "/archives/orders",
		Headers: map[string]string{
			"accept": "*/*", "authorization": "Basic ZGF0YXNpbms6aHVudGVyMg==", "content-length": fmt.Sprint(len(body)),
			"content-type": "application/octet-stream", "host": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com", "user-agent": "Ruby",
			"x-amzn-trace-id": "Root=1-6743a1b2-5f1d0c9e3b7a4d2f8e6c1a0b", "x-forwarded-for": "203.0.113.7", "x-forwarded-port": "443", "x-forwarded-proto": "https",
		},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: "POST /archives/{stream}", AccountID: "123456789012", Stage: "$default", RequestID: "Bzx1kgQFliAEPmw=", APIID: "a1b2c3d4e5",
			DomainName: "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com", DomainPrefix: "a1b2c3d4e5", Time: "22/Nov/2026:23:07:31 +0000", TimeEpoch: 1795388851123,
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: "POST", Path: "/archives/orders", Protocol: "HTTP/1.1", SourceIP: "203.0.113.7", UserAgent: "Ruby",
			},
		},
		PathParameters: map[string]string{"stream": orders},
		Body:           string(body),
	}
	if asText {
		e.Headers["content-type"] = "application/json"
	} else {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return marshal(e)
}

// fullBatch is the largest number of records of a batch.
const fullBatch = 10_000

// kinesisEvent returns the event of a batch of records of a size: most records, or 6 MB.
func kinesisEvent(size, most int) (event []byte, records int) {
	const mostBytes = 6_000_000
	body := bytes.TrimSuffix(jsonBody(size), []byte("\n"))
	var list []cloud.EventRecord
	for bytes := 0; len(list) < most; {
		record := cloud.EventRecord{Stream: stream.ResourceName(deployment, orders), Shard: "shardId-000000000006", Record: cloud.Record{
			SequenceNumber: fmt.Sprintf("49590338271490256608559692%030d", len(list)), PartitionKey: newID(), ArrivedAt: time.Now(), Data: body,
		}}
		if len(list) == 0 {
			bytes = len(cloud.KinesisEvent(record))
		}
		if (len(list)+1)*(bytes+1) > mostBytes {
			break
		}
		list = append(list, record)
	}
	return cloud.KinesisEvent(list...), len(list)
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings, numbers and times always encode
	}
	return b
}
