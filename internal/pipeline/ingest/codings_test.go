package ingest_test

import (
	"bytes"
	"compress/gzip"

	"github.com/klauspost/compress/zstd"
)

// gzipped returns body compressed by the standard library, as the Go client does.
func gzipped(body string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(body)); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.String()
}

// zstandard returns body as one zstd frame that states its size.
func zstandard(body string) string {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true))
	if err != nil {
		panic(err)
	}
	return string(w.EncodeAll([]byte(body), nil))
}

// zstandardStream returns body as one zstd frame that does not state its size.
func zstandardStream(body string, options ...zstd.EOption) string {
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, options...)
	if err != nil {
		panic(err)
	}
	for len(body) > 0 { // in pieces, so that the encoder does not know the size
		n := min(len(body), 1000)
		if _, err := w.Write([]byte(body[:n])); err != nil {
			panic(err)
		}
		body = body[n:]
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.String()
}
