// Package cloud emulates the AWS services that the pipeline uses, in this
// process: Kinesis Data Streams, Data Firehose, SQS, S3, Secrets Manager, Lambda
// functions, and the event source mappings of Kinesis and SQS. It keeps the
// services' limits, their errors for calls and for single records, their
// throttling, and the semantics of their batches.
//
// Kinesis, Firehose, S3 and the mappings keep their data in folders, so that the
// data costs no memory and survives the process, however it ends. Nothing is
// synced to disk: a loss of power can lose data. SQS and Secrets Manager keep
// their data in memory.
//
// Package wire serves these services over AWS's own wire protocol.
package cloud

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/data-sink/data-sink/internal/pipeline/sink"
)

// Region and Account are the AWS Region and account of all resources.
const (
	Region  = "us-east-1"
	Account = "000000000000"
)

// Error codes of the services.
const (
	InvalidArgument    = "InvalidArgumentException"
	ResourceNotFound   = "ResourceNotFoundException"
	ExpiredIterator    = "ExpiredIteratorException"
	ThroughputExceeded = "ProvisionedThroughputExceededException"
	ServiceUnavailable = "ServiceUnavailableException"
	InternalFailure    = "InternalFailure"
	NoSuchBucket       = "NoSuchBucket"
	NoSuchKey          = "NoSuchKey"
	NoSuchUpload       = "NoSuchUpload"
	PreconditionFailed = "PreconditionFailed"
	InvalidPart        = "InvalidPart"
	InvalidPartOrder   = "InvalidPartOrder"
	EntityTooLarge     = "EntityTooLarge"
	SlowDown           = "SlowDown"
)

// Error is an error of a service, for a call or for one of its records.
type Error struct {
	// Code is the service's error code.
	Code string
	// Message explains the error. It holds no part of a record.
	Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Is reports whether the error is of the kind sink.ErrInvalid or sink.ErrThrottled.
func (e *Error) Is(target error) bool {
	switch target {
	case sink.ErrInvalid:
		return e.Code == InvalidArgument
	case sink.ErrThrottled:
		return e.Code == ThroughputExceeded || e.Code == ServiceUnavailable
	}
	return false
}

// Status is the HTTP status of the error.
func (e *Error) Status() int {
	switch e.Code {
	case InternalFailure:
		return http.StatusInternalServerError
	case ServiceUnavailable, SlowDown:
		return http.StatusServiceUnavailable
	case NoSuchBucket, NoSuchKey, NoSuchUpload:
		return http.StatusNotFound
	case PreconditionFailed:
		return http.StatusPreconditionFailed
	}
	return http.StatusBadRequest
}

func newError(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// AsError returns the service's error in err. Any other error is an internal
// failure.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return newError(InternalFailure, "%v", err)
}
