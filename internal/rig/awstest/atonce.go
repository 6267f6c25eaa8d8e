package awstest

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// maxRecords is the limit of both calls.
const maxRecords = 500

// AtOnce is a handler that answers Kinesis PutRecords and Firehose PutRecordBatch
// immediately: it reads the request and counts its records, but it stores and checks
// nothing. It is for benchmarks, in which it must cost as little as possible. The
// zero value is ready and safe for concurrent use.
type AtOnce struct {
	// Calls, Records and Bytes count the calls, their records and the bytes of the
	// requests.
	Calls, Records, Bytes atomic.Int64
}

// answers has the answer for each number of records, made when first needed.
type answers struct {
	head, record, tail string
	made               [maxRecords + 1]atomic.Pointer[[]byte]
}

var (
	kinesisAnswers = answers{
		head:   `{"FailedRecordCount":0,"Records":[`,
		record: `{"SequenceNumber":"49650000000000000000000000000000000000000000000000000001","ShardId":"shardId-000000000000"}`,
		tail:   `]}`,
	}
	firehoseAnswers = answers{
		head:   `{"Encrypted":false,"FailedPutCount":0,"RequestResponses":[`,
		record: `{"RecordId":"1"}`,
		tail:   `]}`,
	}
)

func (a *answers) to(records int) []byte {
	if p := a.made[records].Load(); p != nil {
		return *p
	}
	answer := []byte(a.head + strings.TrimSuffix(strings.Repeat(a.record+",", records), ",") + a.tail)
	a.made[records].Store(&answer)
	return answer
}

var requests = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// dataField occurs once in every record. Base64 has no quotation marks.
var dataField = []byte(`"Data"`)

// ServeHTTP answers a call. Other calls get 400.
func (h *AtOnce) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var a *answers
	switch r.Header.Get("X-Amz-Target") {
	case "Kinesis_20131202.PutRecords":
		a = &kinesisAnswers
	case "Firehose_20150804.PutRecordBatch":
		a = &firehoseAnswers
	default:
		http.Error(w, "not in this endpoint", http.StatusBadRequest)
		return
	}
	buf := requests.Get().(*bytes.Buffer)
	defer requests.Put(buf)
	buf.Reset()
	if r.ContentLength > 0 {
		buf.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := io.Copy(buf, r.Body); err != nil {
		return // The caller has disconnected.
	}
	records := bytes.Count(buf.Bytes(), dataField)
	if records > maxRecords {
		http.Error(w, "too many records", http.StatusBadRequest)
		return
	}
	h.Calls.Add(1)
	h.Records.Add(int64(records))
	h.Bytes.Add(int64(buf.Len()))
	answer := a.to(records)
	header := w.Header()
	header["Content-Type"] = contentType
	header["Content-Length"] = []string{strconv.Itoa(len(answer))}
	header["Date"] = nil // saves formatting one
	_, _ = w.Write(answer)
}

var contentType = []string{"application/x-amz-json-1.1"}
