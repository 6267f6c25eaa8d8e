package bridge

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/data-sink/data-sink/internal/pipeline/archive"
)

// maxAsideName is well under what the archive takes.
const maxAsideName = 180

// putAside writes records to failed/. The object's name comes from the first
// record's shard and sequence number, so that a retry of the batch replaces it.
func (h *Handler) putAside(ctx context.Context, b batch, r rejects) error {
	failedAt := h.config.Now()
	asides := make([]archive.DeadLetter, 0, r.end-r.first)
	for _, record := range b.records[r.first:r.end] {
		body, err := base64.StdEncoding.AppendDecode([]byte{}, record.data)
		if err != nil {
			return fmt.Errorf("decoding body: %w", err)
		}
		asides = append(asides, archive.DeadLetter{
			Stream: b.stream.Name, Reason: r.reason, FailedAt: failedAt, ReceivedAt: record.arrivedAt(),
			ID: string(record.id), PartitionKey: string(record.key), Body: body,
		})
	}
	// A part of the margin stays for the answer.
	ctx, cancel := endingEarlier(ctx, h.config.Margin/4)
	defer cancel()
	key, err := h.config.Archive.PutDeadLetters(ctx, archive.StageBridge, b.stream.Name, asideName(b.records[r.first]), asides)
	if err != nil {
		return fmt.Errorf("putting aside %d records: %w", len(asides), err)
	}
	h.config.Log.ErrorContext(ctx, LogAside, "stream", b.stream.Name, "records", len(asides), "key", key, "reason", r.reason)
	return nil
}

// asideName is shard and sequence number in letters that a key may have.
func asideName(r record) string {
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
	return name[max(0, len(name)-maxAsideName):]
}
