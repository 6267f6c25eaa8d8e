// Package wire serves the services of package cloud over AWS's own wire protocol,
// so that the AWS SDKs and the AWS CLI can use them:
//
//   - Kinesis: PutRecords, ListStreams, DescribeStream, DescribeStreamSummary,
//     ListShards, GetShardIterator and GetRecords
//   - Firehose: PutRecordBatch
//   - SQS: SendMessage, ReceiveMessage and DeleteMessage
//   - Secrets Manager: GetSecretValue
//   - S3: objects, listings, copies, deletions and multipart uploads, in path style
//     or with the bucket in the host name
//
// Signatures are not checked, except behind Signed.
package wire

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/google/uuid"
)

// Services are the services to serve. A service that is nil does not exist.
type Services struct {
	Kinesis *cloud.Kinesis
	// ReadKinesis serves only the calls of Kinesis that read.
	ReadKinesis bool
	Firehose    *cloud.Firehose
	// Queues are SQS queues by the path of their URL, such as /wake.
	Queues  map[string]*cloud.Queue
	Secrets *cloud.Secrets
	Buckets []*cloud.Bucket
}

// maxCallBytes bounds a call in JSON. The largest is PutRecords with 5 MiB, which
// is base64 in JSON.
const maxCallBytes = 16 << 20

// operation carries out a call of a service with a JSON protocol.
type operation func(ctx context.Context, input []byte) (output any, err error)

// typed returns the operation with typed input.
func typed[In any](f func(ctx context.Context, in In) (any, error)) operation {
	return func(ctx context.Context, input []byte) (any, error) {
		var in In
		if err := json.Unmarshal(input, &in); err != nil {
			return nil, &cloud.Error{Code: "SerializationException", Message: err.Error()}
		}
		return f(ctx, in)
	}
}

type server struct {
	operations map[string]operation // by X-Amz-Target
	s3         *s3Server
}

// New returns a handler for all services.
func New(s Services) http.Handler {
	h := &server{operations: make(map[string]operation), s3: &s3Server{buckets: s.Buckets}}
	if s.Kinesis != nil {
		h.addKinesis(s.Kinesis, s.ReadKinesis)
	}
	if s.Firehose != nil {
		h.addFirehose(s.Firehose)
	}
	if s.Queues != nil {
		h.addSQS(s.Queues)
	}
	if s.Secrets != nil {
		h.addSecrets(s.Secrets)
	}
	return h
}

// ServeHTTP serves one call.
func (h *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, answered := cloud.OverWire(r.Context(), accessKey(r))
	target := r.Header.Get("X-Amz-Target")
	if target == "" {
		if err := h.s3.serve(w, r.WithContext(ctx)); err != nil {
			answered(false)
			reset(w)
			return
		}
		answered(flush(w, r))
		return
	}
	w.Header().Set("X-Amzn-Requestid", uuid.NewString())
	output, err := h.call(ctx, w, r, target)
	if errors.Is(err, cloud.ErrReset) {
		answered(false)
		reset(w)
		return
	}
	if err != nil {
		writeError(w, cloud.AsError(err))
	} else {
		writeJSON(w, http.StatusOK, output)
	}
	answered(flush(w, r))
}

func (h *server) call(ctx context.Context, w http.ResponseWriter, r *http.Request, target string) (any, error) {
	op, ok := h.operations[target]
	if !ok || r.Method != http.MethodPost {
		return nil, &cloud.Error{Code: "UnknownOperationException", Message: r.Method + " of " + target + " is not supported here"}
	}
	// The body is read to its end. The server notices only then that a caller
	// disconnects.
	input, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCallBytes))
	if err != nil {
		return nil, &cloud.Error{Code: "SerializationException", Message: err.Error()}
	}
	return op(ctx, input)
}

// accessKey is the access key id in a signature, in a header or in the query.
func accessKey(r *http.Request) string {
	_, credential, ok := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if !ok {
		credential = r.URL.Query().Get("X-Amz-Credential")
	}
	id, _, _ := strings.Cut(credential, "/")
	return id
}

func writeError(w http.ResponseWriter, e *cloud.Error) {
	writeJSON(w, e.Status(), map[string]string{"__type": e.Code, "message": e.Message})
}

func writeJSON(w http.ResponseWriter, status int, output any) {
	body, err := json.Marshal(output)
	if err != nil {
		panic(err) // Outputs consist of strings, numbers and bytes.
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_, _ = w.Write(body) // The caller may have disconnected.
}

// flush reports whether the answer was written to a caller that is connected.
func flush(w http.ResponseWriter, r *http.Request) bool {
	return http.NewResponseController(w).Flush() == nil && r.Context().Err() == nil
}

// reset ends the connection without an answer and without a proper end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // This ends the connection, too.
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
