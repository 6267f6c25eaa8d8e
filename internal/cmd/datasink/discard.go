package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/data-sink/data-sink/internal/operate/failed"
)

type failedDiscardVerb struct {
	Keys   []string `arg:"" help:"Keys of objects, as printed by ls."`
	Reason string   `required:"" help:"Why the records are given up. The marker keeps the reason."`
	connection
}

// Help shows with datasink failed discard --help.
func (*failedDiscardVerb) Help() string {
	return `Records that cannot be decoded, and records without bytes, can never be sent. The
command marks them beside their object, with the reason, and from then on they are
neither tried nor counted. An object that is malformed is marked as a whole. The
command deletes nothing: the object stays in the archive.

Records that can be sent stay for a redrive.

Example:

  datasink failed discard --reason "sent by a test" failed/drainer/orders/dt=2026-11-22/hour=23/….ndjson`
}

// Run discards records.
func (v *failedDiscardVerb) Run(ctx context.Context, c console) error {
	if strings.TrimSpace(v.Reason) == "" {
		return usage("--reason: want a text")
	}
	_, archive, err := v.findArchive(ctx, c, toWrite)
	if err != nil {
		return err
	}
	var failing objectErrors
	for o, err := range new(failedFilter).list(ctx, archive.Bucket, v.Keys, isNever) {
		n := 0
		if err == nil {
			n, err = failed.Discard(ctx, archive.Bucket, archive.Store, o, v.Reason, time.Now())
		}
		if err != nil {
			if err := failing.add(ctx, o, err); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(c.out, "discarded %s of %s\n", counted(n, "record"), o.Key)
	}
	return failing.report(c)
}
