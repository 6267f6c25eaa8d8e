package streamsfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

var (
	// ErrUnknown is returned for a stream that is not in the file.
	ErrUnknown = errors.New("no such stream")
	// ErrRetired is returned for a stream that is retired already.
	ErrRetired = errors.New("the stream is retired already")
)

// Retire returns the content of a streams.json with "retired": true in the entry of a
// stream. The error lists the problems that stream.Parse finds in the content.
func Retire(content []byte, name string) ([]byte, error) {
	set, err := stream.Parse(content)
	if err != nil {
		return nil, err
	}
	switch s, ok := set.Lookup(name); {
	case !ok:
		return nil, fmt.Errorf("%s: %w", name, ErrUnknown)
	case s.Retired:
		return nil, fmt.Errorf("%s: %w", name, ErrRetired)
	}
	list, err := find(content)
	if err != nil {
		return nil, err
	}
	for _, at := range list.entries {
		entry := content[at.begin:at.end]
		var s struct{ Name string }
		if err := json.Unmarshal(entry, &s); err != nil {
			return nil, err
		}
		if s.Name != name {
			continue
		}
		retired, err := retire(entry)
		if err != nil {
			return nil, err
		}
		changed := join(content[:at.begin], retired, content[at.end:])
		if _, err := stream.Parse(changed); err != nil {
			return nil, err
		}
		return changed, nil
	}
	return nil, fmt.Errorf("%s: %w", name, ErrUnknown)
}

// retire sets the field of one entry: in place if the entry has it, otherwise after
// the last field and formatted like it.
func retire(entry []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(entry))
	if _, err := d.Token(); err != nil { // the opening brace
		return nil, err
	}
	begin, end := int(d.InputOffset()), 0 // of the text before a name, and of the last value
	between := []byte(" ")                // the white space before a name
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		if end > 0 || isSpread(entry) {
			between = bytes.TrimLeft(entry[begin:begin+bytes.IndexByte(entry[begin:], '"')], ",")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		end = int(d.InputOffset())
		begin = end
		if name == "retired" {
			return join(entry[:end-len(value)], []byte("true"), entry[end:]), nil
		}
	}
	return join(entry[:end], []byte(","), between, []byte(`"retired": true`), entry[end:]), nil
}

// RetireInFile retires a stream in a file, which it replaces atomically.
func RetireInFile(path, name string) error {
	return edit(path, func(content []byte) ([]byte, error) { return Retire(content, name) })
}
