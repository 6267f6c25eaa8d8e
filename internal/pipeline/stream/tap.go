package stream

import (
	"encoding/json"
	"fmt"
)

// Tap says whether a stream has a tap: a Kinesis stream that other programs can
// read. In JSON it is true, "ending" or false.
type Tap string

const (
	// TapOn means that the drainer puts the records to the Kinesis stream, and that
	// the bridge delivers them from there to Firehose.
	TapOn Tap = "true"
	// TapEnding means that the drainer puts the records to Firehose itself. The
	// bridge still delivers what is in the Kinesis stream.
	TapEnding Tap = "ending"
	// TapOff means that the drainer puts the records to Firehose itself, and that
	// there is no Kinesis stream.
	TapOff Tap = "false"
)

// HasTap reports whether the stream has a Kinesis stream, from which the bridge
// delivers to Firehose.
func (s Stream) HasTap() bool { return s.Tap != TapOff }

// FeedsTap reports whether the drainer puts the records of the stream to its Kinesis
// stream. Otherwise it puts them to the stream's Firehose.
func (s Stream) FeedsTap() bool { return s.HasTap() && s.Tap != TapEnding }

// UnmarshalJSON accepts true, false and "ending".
func (t *Tap) UnmarshalJSON(b []byte) error {
	var value any
	if err := json.Unmarshal(b, &value); err != nil {
		return err
	}
	switch value {
	case nil: // By convention, null changes nothing.
	case true:
		*t = TapOn
	case false:
		*t = TapOff
	case string(TapEnding):
		*t = TapEnding
	default:
		return &tapError{b}
	}
	return nil
}

// MarshalJSON returns true, false or "ending".
func (t Tap) MarshalJSON() ([]byte, error) {
	switch t {
	case TapOn, TapOff:
		return []byte(t), nil
	default:
		return json.Marshal(string(t))
	}
}

// tapError is the error of a JSON value that is not a Tap.
type tapError struct{ value []byte }

func (e *tapError) Error() string {
	return fmt.Sprintf(`%.*q: want true, false or "ending"`, maxShown, e.value)
}
