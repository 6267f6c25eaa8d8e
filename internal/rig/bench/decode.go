package main

import (
	"encoding/base64"

	"github.com/buger/jsonparser"
)

// request is what a floor needs from an API Gateway event.
type request struct {
	stream, authorization, body []byte
}

// decodeWithJSONParser uses the fastest of the decoders that BenchmarkFloorDecoder
// compares. It stops at the wanted fields.
func decodeWithJSONParser(event []byte) (request, error) {
	var r request
	var isBase64 bool
	var failed error
	keep := func(into *[]byte, value []byte) {
		text, err := jsonparser.Unescape(value, nil)
		if err != nil {
			failed = err
		}
		*into = text
	}
	jsonparser.EachKey(event, func(i int, value []byte, _ jsonparser.ValueType, err error) {
		if err != nil {
			failed = err
			return
		}
		switch i {
		case 0:
			keep(&r.authorization, value)
		case 1:
			keep(&r.stream, value)
		case 2:
			isBase64 = string(value) == "true"
		case 3:
			r.body = value
		}
	}, wanted...)
	if failed != nil {
		return r, failed
	}
	if !isBase64 {
		keep(&r.body, r.body)
		return r, failed
	}
	body := make([]byte, base64.StdEncoding.DecodedLen(len(r.body)))
	n, err := base64.StdEncoding.Decode(body, r.body)
	r.body = body[:n]
	return r, err
}

var wanted = [][]string{{"headers", "authorization"}, {"pathParameters", "stream"}, {"isBase64Encoded"}, {"body"}}

// kinesisRecords is what a floor needs from a Kinesis event.
type kinesisRecords struct {
	Records []struct {
		Kinesis struct {
			Data           []byte `json:"data"`
			SequenceNumber string `json:"sequenceNumber"`
		} `json:"kinesis"`
		EventSourceARN string `json:"eventSourceARN"`
	} `json:"Records"`
}
