package ingest

import (
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

// benchEvent returns an API Gateway event as AWS sends it, with a body of size
// bytes: random bytes in base64, or JSON as text.
func benchEvent(tb testing.TB, kind string, size int) []byte {
	tb.Helper()
	fixture, err := os.ReadFile("testdata/post.json")
	if err != nil {
		tb.Fatal(err)
	}
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(fixture, &e); err != nil {
		tb.Fatal(err)
	}
	if kind == "text" {
		e.IsBase64Encoded = false
		e.Body = strings.Repeat(`{"orderId":"8d7c","amount":1999,"note":"two days"},`, size/51+1)[:size]
	} else {
		body := make([]byte, size)
		source := rand.New(rand.NewPCG(1, 2))
		for i := range body {
			body[i] = byte(source.Uint32())
		}
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	e.Headers["content-length"] = strconv.Itoa(size)
	event, err := json.Marshal(e)
	if err != nil {
		tb.Fatal(err)
	}
	return event
}
