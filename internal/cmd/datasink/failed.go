package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/data-sink/data-sink/internal/operate/bucket"
	"github.com/data-sink/data-sink/internal/operate/failed"
)

// failedVerbs are the verbs of datasink failed.
type failedVerbs struct {
	Ls      failedLsVerb      `cmd:"" help:"List the objects that hold dead letters."`
	Show    failedShowVerb    `cmd:"" help:"Show dead letters and why they could not be delivered."`
	Redrive failedRedriveVerb `cmd:"" help:"Send dead letters through the API again."`
	Discard failedDiscardVerb `cmd:"" help:"Give up dead letters that can never be sent."`
}

// failedFilter holds the flags that choose objects.
type failedFilter struct {
	Stream string `help:"Only objects of this stream."`
	From   moment `help:"Only objects written at this time or later."`
	To     moment `help:"Only objects written before this time."`
}

// Validate returns a usageError if Stream cannot be the name of a stream. Kong calls
// it.
func (f *failedFilter) Validate() error {
	return checkStream(f.Stream)
}

// list yields the objects that the flags choose, or only those with the given keys.
// Objects for which skip returns true are skipped, unless their key is given. An
// error together with the key of an object concerns that object alone.
func (f *failedFilter) list(ctx context.Context, b *bucket.Bucket, keys []string, skip func(failed.Object) bool) iter.Seq2[failed.Object, error] {
	wanted := make(map[string]bool)
	for _, key := range keys {
		wanted[key] = true
	}
	return func(yield func(failed.Object, error) bool) {
		for o, err := range failed.List(ctx, b, failed.Filter{Stream: f.Stream, From: f.From.Time, To: f.To.Time}) {
			if err != nil && o.Key == "" {
				yield(o, err)
				return
			}
			if !wanted[o.Key] && (len(keys) > 0 || err == nil && skip(o)) {
				continue
			}
			delete(wanted, o.Key)
			if !yield(o, err) {
				return
			}
			if len(keys) > 0 && len(wanted) == 0 {
				return
			}
		}
		for _, key := range slices.Sorted(maps.Keys(wanted)) {
			if !yield(failed.Object{Object: bucket.Object{Key: key}}, fmt.Errorf("%s: %w among the dead letters", key, bucket.ErrNotFound)) {
				return
			}
		}
	}
}

// isDone reports whether nothing of an object is left to do.
func isDone(o failed.Object) bool { return o.Marker.IsDone() }

// isNever keeps all objects.
func isNever(failed.Object) bool { return false }

// skipDone returns the objects to skip: the objects that are done, or none.
func skipDone(all bool) func(failed.Object) bool {
	if all {
		return isNever
	}
	return isDone
}

// objectErrors collects the errors of single objects, while a verb continues with
// the other objects.
type objectErrors []error

// add returns nil for the error of a single object, and any other error.
func (e *objectErrors) add(ctx context.Context, o failed.Object, err error) error {
	if o.Key == "" || ctx.Err() != nil {
		return err
	}
	*e = append(*e, err)
	return nil
}

// report prints the errors, and returns an error if there are any.
func (e objectErrors) report(c console) error {
	for _, err := range e {
		fmt.Fprintf(c.err, "datasink: %v\n", err)
	}
	if len(e) > 0 {
		return fmt.Errorf("%s failed", counted(len(e), "object"))
	}
	return nil
}

// noDeadLetters is printed if the flags choose no object.
const noDeadLetters = "datasink: no dead letters"

type failedLsVerb struct {
	All  bool `help:"Include objects whose records were all redriven or discarded."`
	JSON bool `name:"json" group:"output" help:"Print a JSON array with an element for each object."`
	failedFilter
	connection
}

// Help shows with datasink failed ls --help.
func (*failedLsVerb) Help() string {
	return `Dead letters are objects in the archive bucket. The drainer writes them under
failed/drainer/, the bridge under failed/bridge/, Firehose under failed/firehose/,
and the event source mapping of the bridge under aws/lambda/.

An object that cannot be read is reported at the end, and the exit code is 1.

Examples:

  datasink failed ls
  datasink failed ls --stream orders --from 2d
  datasink failed ls --json | jq -r '.[].key'`
}

// failedObject is the JSON form of an object.
type failedObject struct {
	Key       string         `json:"key"`
	Stage     string         `json:"stage"`
	Stream    string         `json:"stream"`
	WrittenAt time.Time      `json:"writtenAt"`
	Bytes     int64          `json:"bytes"`
	Redriven  *failed.Marker `json:"redriven,omitempty"`
}

// Run lists objects.
func (v *failedLsVerb) Run(ctx context.Context, c console) error {
	_, bucket, err := v.findArchive(ctx, c, toRead)
	if err != nil {
		return err
	}
	list := []failedObject{}
	var rows [][]string
	var failing objectErrors
	for o, err := range v.list(ctx, bucket.Bucket, nil, skipDone(v.All)) {
		if err != nil {
			if err := failing.add(ctx, o, err); err != nil {
				return err
			}
			continue
		}
		list = append(list, failedObject{o.Key, o.Stage, o.Stream, o.WrittenAt, o.Size, o.Marker})
		rows = append(rows, []string{o.WrittenAt.Format(time.DateTime), o.Stage, o.Stream, bytesText(o.Size), markerText(o.Marker), o.Key})
	}
	if v.JSON {
		err = printJSON(c.out, list)
	} else if len(list) == 0 && len(failing) == 0 {
		fmt.Fprintln(c.err, noDeadLetters)
	} else {
		err = printTable(c.out, []string{"WRITTEN (UTC)", "STAGE", "STREAM", "SIZE", "REDRIVEN", "KEY"}, rows)
	}
	return errors.Join(err, failing.report(c))
}

// markerText says what was done with the records of an object.
func markerText(m *failed.Marker) string {
	if m == nil {
		return "-"
	}
	text := counted(m.Records, "record")
	if m.Into != "" {
		text += " into " + m.Into
	}
	switch d := m.Discarded; {
	case d != nil && d.All:
		text += ", discarded"
	case d != nil:
		text += fmt.Sprintf(", %d discarded", len(d.Records))
	}
	if n := len(m.Left); n > 0 {
		text += fmt.Sprintf(", %d left", n)
	}
	return text
}
