package bridge

import (
	"encoding/base64"
	"fmt"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// packed is one Firehose record: the framed bodies of the Kinesis records
// [first, end) of a batch, one after another.
type packed struct {
	first, end int
	body       []byte
}

// pack frames the bodies of records and fills Firehose records with them, each
// as full as whole bodies allow and at most stream.MaxFramedBytes long. Of a
// body that is longer by itself the position goes to oversize. A body that is
// framed to nothing needs no Firehose record.
//
// All is decoded behind dst and stays there: the Firehose records are successive
// parts of it, so that no byte is copied twice. They are good for as long as dst.
func pack(dst []byte, format stream.Format, records []record) (_ []byte, packs []packed, oversize []int, err error) {
	start := len(dst) // of the open Firehose record
	var open packed
	seal := func(end int) {
		if end > start {
			open.body = dst[start:end:end]
			packs = append(packs, open)
		}
		start = end
	}
	for i := range records {
		at := len(dst)
		if dst, err = appendFramed(dst, format, records[i].data); err != nil {
			return nil, nil, nil, fmt.Errorf("record %s: %w", records[i].sequence, err)
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
			open.first = i
		}
		open.end = i + 1
	}
	seal(len(dst))
	return dst, packs, oversize, nil
}

// appendFramed appends a body that is given in base64, as its format frames it.
func appendFramed(dst []byte, format stream.Format, data []byte) ([]byte, error) {
	at := len(dst)
	dst, err := base64.StdEncoding.AppendDecode(dst, data)
	if err != nil {
		return nil, fmt.Errorf("decoding body: %w", err)
	}
	if body := dst[at:]; format.FramedLen(body) > len(body) {
		dst = append(dst, '\n')
	}
	return dst, nil
}

// packedLen is enough for what pack appends.
func packedLen(records []record) int {
	n := 0
	for i := range records {
		n += base64.StdEncoding.DecodedLen(len(records[i].data)) + 1
	}
	return n
}
