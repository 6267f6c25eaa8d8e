package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/google/uuid"
)

// maxIdempotencyKey is the maximum length of an Idempotency-Key.
const maxIdempotencyKey = 255

// idempotencyKey returns the value of the Idempotency-Key header without optional
// quotation marks, nil if the header is missing. It reports whether the value is
// valid: 1 to 255 visible ASCII characters without quotation marks, backslashes and
// commas. API Gateway joins two headers by a comma.
func (r *request) idempotencyKey() (key []byte, ok bool) {
	if r.idempotency == nil {
		return nil, true
	}
	key = bytes.Trim(r.idempotency, " \t")
	if inner, quoted := bytes.CutPrefix(key, []byte(`"`)); quoted {
		if key, quoted = bytes.CutSuffix(inner, []byte(`"`)); !quoted {
			return nil, false
		}
	}
	if len(key) == 0 || len(key) > maxIdempotencyKey {
		return nil, false
	}
	for _, c := range key {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' || c == ',' {
			return nil, false
		}
	}
	return key, true
}

// identify returns the identity under which the queue remembers a request. The
// digest is that of client, stream and key. The fingerprint is that of the kind of
// request and the body, so it is independent of the content encoding of a lines
// stream. A collision of fingerprints affects only the client that causes it.
func identify(client, stream string, key []byte, batch bool, body []byte) *queue.IdempotencyKey {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(client), []byte(stream), key} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part)))) // #nosec G115 -- API Gateway bounds headers and paths.
		h.Write(part)
	}
	var k queue.IdempotencyKey
	copy(k.Digest[:], h.Sum(nil))
	kind := byte('1')
	if batch {
		kind = 'n'
	}
	content := xxhash.New()
	_, _ = content.Write([]byte{kind}) // It never fails.
	_, _ = content.Write(body)
	binary.BigEndian.PutUint64(k.Fingerprint[:], content.Sum64())
	return &k
}

// newID returns the id of a request: a UUIDv7, or for a request with an idempotency
// key a UUIDv8 that depends only on the key's identity. So each try of a request
// has the same id, and a direct record the same name.
func newID(k *queue.IdempotencyKey) (uuid.UUID, error) {
	if k == nil {
		return uuid.NewV7()
	}
	h := sha256.New()
	h.Write(k.Digest[:])
	h.Write(k.Fingerprint[:])
	var id uuid.UUID
	copy(id[:], h.Sum(nil))
	id[6] = 0x80 | id[6]&0x0f // version 8
	id[8] = 0x80 | id[8]&0x3f // variant of RFC 9562
	return id, nil
}

// lineID returns the id of line i of a batch: the batch's id with i in its last 16
// bits.
func lineID(batch uuid.UUID, i int) string {
	binary.BigEndian.PutUint16(batch[14:], uint16(i)) // #nosec G115 -- a batch has at most maxLines lines.
	return batch.String()
}
