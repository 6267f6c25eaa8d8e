package local

import (
	"encoding/json"
	"fmt"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// SetStreams changes the streams while the pipeline runs. A stream that is missing
// in the new set is retired until the pipeline stops, so that its records are still
// delivered. The number of shards of an existing stream changes only with the next
// start.
func (p *Pipeline) SetStreams(set *stream.Set) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	merged, err := withRetired(set, p.streams.Load())
	if err != nil {
		return err
	}
	added, err := p.openStreams(merged)
	if err == nil {
		p.streams.Store(merged)
		p.setHandlers(merged)
	}
	for _, m := range added {
		p.consumers.start(m.Run)
	}
	return err
}

// withRetired returns the streams of a set and, as retired, those that were there
// before.
func withRetired(set, before *stream.Set) (*stream.Set, error) {
	file := stream.File{Streams: set.All()}
	for _, s := range before.All() {
		if _, known := set.Lookup(s.Name); !known {
			s.Retired = true
			file.Streams = append(file.Streams, s)
		}
	}
	content, err := json.Marshal(file)
	if err != nil {
		return nil, fmt.Errorf("encoding the streams: %w", err)
	}
	return stream.Parse(content)
}
