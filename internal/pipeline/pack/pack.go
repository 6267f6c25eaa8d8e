// Package pack frames bodies and packs them into Firehose records, puts these to
// Firehose, and writes and parses the log line of each packed record that Firehose
// accepted.
//
// Firehose concatenates its records into objects and bills each record as at
// least 5 KB, so many bodies share one record. With the log lines, the objects
// of the archive can be checked byte for byte.
package pack

import (
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Packed is one Firehose record: the framed bodies of the input records
// [First, End), in their order.
type Packed struct {
	First, End int
	Body       []byte
}

// Pack frames n bodies as format requires and packs them, in their order, into as
// few Firehose records as whole bodies allow. Each has at most
// stream.MaxFramedBytes bytes. The indices of bodies that exceed this limit alone,
// once framed, are returned as oversize. A body that is empty once framed needs no
// Firehose record.
//
// appendBody appends body i to dst, and Pack stops at its first error. Pack
// appends everything to dst and returns the extended buffer. The Firehose
// records alias this buffer.
func Pack(dst []byte, format stream.Format, n int, appendBody func(dst []byte, i int) ([]byte, error)) (_ []byte, packs []Packed, oversize []int, err error) {
	start := len(dst) // of the Firehose record that is being filled
	var open Packed
	seal := func(end int) {
		if end > start {
			open.Body = dst[start:end:end]
			packs = append(packs, open)
		}
		start = end
	}
	for i := range n {
		at := len(dst)
		if dst, err = appendBody(dst, i); err != nil {
			return nil, nil, nil, err
		}
		if body := dst[at:]; format.FramedLen(body) > len(body) {
			dst = append(dst, '\n')
		}
		if len(dst)-start > stream.MaxFramedBytes {
			seal(at)
		}
		if len(dst)-start > stream.MaxFramedBytes {
			dst = dst[:at]
			oversize = append(oversize, i)
			continue
		}
		if at == start {
			open.First = i
		}
		open.End = i + 1
	}
	seal(len(dst))
	return dst, packs, oversize, nil
}
