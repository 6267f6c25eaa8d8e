// Package cloudtest is the conformance suite of the AWS emulation in package
// cloud. The suite runs against each of its doors, the Go methods and the wire
// protocol, and against other implementations of AWS.
package cloudtest

import (
	"context"
	"errors"
	"time"

	"github.com/aws/smithy-go"
	"github.com/data-sink/data-sink/internal/local/cloud"
)

// Record is a record of a Kinesis stream or of Firehose.
type Record struct{ Key, Data string }

// Read is a record that was read from a shard.
type Read struct {
	Record
	Sequence  string
	ArrivedAt time.Time
}

// Start says where a shard iterator begins.
type Start struct {
	Type, Sequence string
	At             time.Time
}

// Object describes an object.
type Object struct {
	Body, ETag string
	ModifiedAt time.Time
}

// Put is the input of PutObject. IfMatch and IfNoneMatch may be empty.
type Put struct{ Key, Body, IfMatch, IfNoneMatch string }

// Door is a way to call the services. The errors of the services have a code; see
// Code.
type Door interface {
	// PutRecords and PutRecordBatch return the error code of each record, empty for
	// a record that was accepted.
	PutRecords(ctx context.Context, stream string, records []Record) (codes []string, err error)
	PutRecordBatch(ctx context.Context, stream string, records []Record) (codes []string, err error)
	ListStreams(ctx context.Context) ([]string, error)
	Shards(ctx context.Context, stream string) ([]string, error)
	Iterator(ctx context.Context, stream, shard string, s Start) (string, error)
	// GetRecords returns the next iterator, which is empty at the end of a closed
	// shard.
	GetRecords(ctx context.Context, iterator string, limit int) (records []Read, next string, err error)
	PutObject(ctx context.Context, p Put) (etag string, err error)
	GetObject(ctx context.Context, key string) (Object, error)
	HeadObject(ctx context.Context, key string) (Object, error)
	DeleteObject(ctx context.Context, key string) error
	// List returns the keys and the common prefixes of all pages of pageSize.
	List(ctx context.Context, prefix, delimiter string, pageSize int) (names []string, err error)
	SendMessage(ctx context.Context, body string, delay time.Duration) error
	// Receive returns a message and a function that deletes it; false without one.
	Receive(ctx context.Context, visibility time.Duration) (body string, remove func() error, ok bool, err error)
	Secret(ctx context.Context, id string) (string, error)
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
