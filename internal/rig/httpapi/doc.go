// Package httpapi tests the HTTP API against the local pipeline: schemathesis with
// the OpenAPI document, and the examples of the ingest package's README with faults
// between client and API.
package httpapi
