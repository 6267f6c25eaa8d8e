// Package cloudtest is the conformance suite of the AWS emulation in package
// cloud. The suite runs against each of its doors, the Go methods and the wire
// protocol, and against other implementations of AWS.
package cloudtest

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/aws/smithy-go"
	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// Door is a way to call the services. The errors of the services have a code; see
// Code.
type Door interface {
	PutRecords(ctx context.Context, stream string, entries []sink.Entry) ([]cloud.PutResult, error)
	PutRecordBatch(ctx context.Context, stream string, entries []sink.Entry) ([]cloud.PutResult, error)
	ListStreams(ctx context.Context) ([]string, error)
	Shards(ctx context.Context, stream string) ([]string, error)
	GetShardIterator(ctx context.Context, stream, shard string, start cloud.IteratorStart) (string, error)
	// GetRecords reads up to limit records; a limit of 0 is the service's.
	GetRecords(ctx context.Context, iterator string, limit int) (cloud.Page, error)
	PutObject(ctx context.Context, key string, c cloud.Conditions, write func(io.Writer) error) (cloud.Object, error)
	ReadObject(ctx context.Context, key string) (body string, object cloud.Object, err error)
	HeadObject(ctx context.Context, key string) (cloud.Object, error)
	DeleteObject(ctx context.Context, key string) error
	// ListAll returns the keys and the common prefixes of all pages of pageSize.
	ListAll(ctx context.Context, prefix, delimiter string, pageSize int) (names []string, err error)
	Send(ctx context.Context, body string, delay time.Duration) (id string, err error)
	// ReceiveMessage returns a message and a function that deletes it; false without
	// one.
	ReceiveMessage(ctx context.Context, visibility time.Duration) (body string, remove func() error, ok bool, err error)
	GetSecretValue(ctx context.Context, id string) (string, error)
}

// Code returns the error code of a service, or empty.
func Code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	var e *cloud.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
