package bridge

import (
	"context"
	"fmt"
	"strings"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
	"github.com/data-sink/data-sink/internal/pipeline/deadline"
	"github.com/data-sink/data-sink/internal/pipeline/pack"
)

// maxNameBytes is the maximum length of the name of an object with dead letters. The
// archive accepts 200 bytes.
const maxNameBytes = 180

// putDeadLetters writes the records of successive parts as one object. The object's
// name comes from the shard and sequence number of the first record, so that a retry
// of the batch overwrites the object.
func (h *Handler) putDeadLetters(ctx context.Context, b *batch, parts []pack.Part) (records int, err error) {
	failedAt := h.config.Now()
	var letters []archive.DeadLetter
	for _, p := range parts {
		for i := p.First; i < p.End; i++ {
			body, err := b.appendBody([]byte{}, i)
			if err != nil {
				return 0, err
			}
			r := &b.records[i]
			letters = append(letters, archive.DeadLetter{
				Stream: b.stream.Name, Reason: p.Reason, FailedAt: failedAt, ReceivedAt: r.arrivedAt(),
				ID: string(r.id), PartitionKey: string(r.key), Body: body,
			})
		}
	}
	// The rest of the margin is for the response.
	ctx, cancel := context.WithTimeout(ctx, deadline.Left(ctx, margin/4))
	defer cancel()
	key, err := h.config.Archive.PutDeadLetters(ctx, archive.StageBridge, b.stream.Name, objectName(b.records[parts[0].First]), letters)
	if err != nil {
		return 0, fmt.Errorf("writing %d dead letters: %w", len(letters), err)
	}
	h.config.Log.ErrorContext(ctx, LogDeadLetters, "stream", b.stream.Name, "records", len(letters), "key", key, "reason", parts[0].Reason)
	return len(letters), nil
}

// objectName is the shard and the sequence number of r, with a hyphen in place of
// each character that a key cannot have.
func objectName(r record) string {
	name := string(r.id)
	if name == "" {
		name = string(r.sequence)
	}
	name = strings.Map(func(c rune) rune {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
			return c
		}
		return '-'
	}, name)
	return name[max(0, len(name)-maxNameBytes):]
}
