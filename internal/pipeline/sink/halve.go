package sink

import (
	"fmt"
	"slices"
)

// halved is a call of several entries that the service refused as invalid. Its
// entries are sent in ever smaller groups until each invalid entry is refused
// alone.
type halved struct {
	// cleared says that the service has accepted a call with a group of these
	// entries. Then the entries that it refuses alone are invalid. As long as it
	// has accepted none, the cause may be the call.
	cleared bool
	// refused are the entries that were refused alone, with the last error.
	refused []Invalid
	err     error
}

// suspects is a group of entries of a halved call.
type suspects struct {
	entries []int
	of      *halved
}

// halve replaces the current call by two groups of suspects.
func (d *delivery) halve() {
	call, of := d.call, d.from
	if of == nil {
		// putBack overwrites the memory that the call was taken from.
		call, of = slices.Clone(call), &halved{}
		d.halvedCalls = append(d.halvedCalls, of)
	}
	middle := len(call) / 2
	d.suspects = append(d.suspects, suspects{call[middle:], of}, suspects{call[:middle], of})
}

// refused settles an entry whose call, without any other entry, the service
// refused as invalid.
func (d *delivery) refused(index int, err error) {
	entry := d.invalid(index, refusal(err))
	if d.from == nil {
		d.result.Invalid = append(d.result.Invalid, entry)
		return
	}
	d.from.refused, d.from.err = append(d.from.refused, entry), err
}

// finishHalved decides about the entries that were refused alone.
func (d *delivery) finishHalved() {
	for _, call := range d.halvedCalls {
		if call.cleared {
			d.result.Invalid = append(d.result.Invalid, call.refused...)
			continue
		}
		for _, entry := range call.refused {
			d.result.Left = append(d.result.Left, entry.Index)
		}
		d.result.Doubtful = append(d.result.Doubtful, call.refused...)
		if call.err != nil {
			d.lastErr = fmt.Errorf("every entry of a call was refused alone, so that the call may be the cause: %w", call.err)
		}
	}
}
