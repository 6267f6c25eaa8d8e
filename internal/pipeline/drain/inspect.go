package drain

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/data-sink/data-sink/internal/pipeline/queue"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// Inspection is the answer to an InspectEvent.
type Inspection struct {
	// Streams are the queues of the streams in streams.json. Orphans are the queues
	// of other streams.
	Streams map[string]queue.State `json:"streams"`
	Orphans map[string]queue.State `json:"orphans,omitempty"`
	// Taps has the streams whose records the drainer puts to Firehose: those without a
	// tap, and those whose tap is ending.
	Taps map[string]stream.Tap `json:"taps,omitempty"`
	// Retired are the retired streams.
	Retired []string `json:"retired,omitempty"`
	// Errors says why the state of a stream cannot be read. Such a stream is in
	// neither of the other maps.
	Errors map[string]string `json:"errors,omitempty"`
}

// Names returns the streams in streams.json, sorted.
func (i Inspection) Names() []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(i.Streams)), maps.Keys(i.Errors))
	slices.Sort(names)
	return names
}

// inspect reads the state of every queue. A stream with a key of a wrong type is an
// error of that stream alone.
func (h *Handler) inspect(ctx context.Context) (Inspection, error) {
	found, err := h.config.Queue.Scan(ctx)
	if err != nil {
		return Inspection{}, err
	}
	if found == nil {
		found = make(map[string][]string)
	}
	answer := Inspection{
		Streams: make(map[string]queue.State), Orphans: make(map[string]queue.State), Errors: make(map[string]string), Taps: make(map[string]stream.Tap),
	}
	for _, s := range h.config.Streams.All() {
		found[s.Name] = nil
		if s.Retired {
			answer.Retired = append(answer.Retired, s.Name)
		}
		if !s.FeedsTap() {
			answer.Taps[s.Name] = s.Tap
		}
	}
	for name := range found {
		state, err := h.config.Queue.Inspect(ctx, name)
		_, known := h.config.Streams.Lookup(name)
		switch {
		case errors.Is(err, queue.ErrWrongType):
			answer.Errors[name] = err.Error()
		case err != nil:
			return Inspection{}, err
		case known:
			answer.Streams[name] = state
		default:
			answer.Orphans[name] = state
		}
	}
	return answer, nil
}
