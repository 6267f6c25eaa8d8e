package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// endpoint stands in front of the local AWS and answers PutRecords and PutRecordBatch
// immediately: it counts the records of a call, stores and checks nothing, and answers
// as the local AWS answered a call with as many small records. So it costs little
// beside what is measured. The local AWS serves all other calls. It is safe for
// concurrent use.
type endpoint struct {
	aws http.Handler
	// records is the number of records that have arrived.
	records atomic.Int64
	// answers has the answers by operation and number of records.
	answers sync.Map
}

var requests = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// dataField occurs once in every record. Base64 has no quotation marks.
var dataField = []byte(`"Data"`)

// ServeHTTP serves one call.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	if target != "Kinesis_20131202.PutRecords" && target != "Firehose_20150804.PutRecordBatch" {
		e.aws.ServeHTTP(w, r)
		return
	}
	call := requests.Get().(*bytes.Buffer)
	defer requests.Put(call)
	call.Reset()
	if r.ContentLength > 0 {
		call.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := io.Copy(call, r.Body); err != nil {
		return // The caller has disconnected.
	}
	records := bytes.Count(call.Bytes(), dataField)
	answer, err := e.answer(r, target, records)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e.records.Add(int64(records))
	header := w.Header()
	header["Content-Type"] = contentType
	header["Content-Length"] = []string{strconv.Itoa(len(answer))}
	header["Date"] = nil // saves formatting one
	_, _ = w.Write(answer)
}

var contentType = []string{"application/x-amz-json-1.1"}

// answer returns the answer of the local AWS to a call with a number of records.
func (e *endpoint) answer(r *http.Request, target string, records int) ([]byte, error) {
	key := struct {
		target  string
		records int
	}{target, records}
	if answer, ok := e.answers.Load(key); ok {
		return answer.([]byte), nil
	}
	const record = `{"Data":"eA==","PartitionKey":"k"}`
	body := fmt.Sprintf(`{"StreamName":%[1]q,"DeliveryStreamName":%[1]q,"Records":[%[2]s]}`,
		stream.ResourceName(deployment, orders), strings.TrimSuffix(strings.Repeat(record+",", records), ","))
	call, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "/", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	call.Header.Set("X-Amz-Target", target)
	out := httptest.NewRecorder()
	e.aws.ServeHTTP(out, call)
	if out.Code != http.StatusOK {
		return nil, fmt.Errorf("%s with %d records: %s", target, records, out.Body)
	}
	e.answers.Store(key, out.Body.Bytes())
	return out.Body.Bytes(), nil
}
