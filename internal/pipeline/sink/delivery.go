package sink

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
)

// delivery is the state of one Put. Each entry is settled (delivered or refused as
// invalid), waiting, in a group of suspects, or in the current call.
type delivery struct {
	limits  Limits
	entries []Entry

	// order[head:] are the indices of the waiting entries, in the order in which
	// they are sent. Entries that are put back in front are written before head.
	// There is room for them, because every entry was once taken from there.
	order []int
	head  int
	// sent says of each entry whether it has been sent.
	sent []bool
	// refusals are the entries that were refused, but not as throttled or invalid, in
	// the answer to the last call that contained them.
	refusals map[int]bool
	// keys are the random partition keys of entries that were throttled.
	keys map[int]string

	// suspects is a stack of groups of entries. The service refused a call that
	// contained the group as invalid. A group fits into a call and is sent alone.
	suspects    []suspects
	halvedCalls []*halved

	// call holds the indices of the entries of the current call. from is the halved
	// call that they come from, or nil.
	call []int
	from *halved

	request  []Entry // reused by every call
	verdicts []error // reused by every call
	lastErr  error   // the last error that was not final
	result   Result
}

func newDelivery(limits Limits, entries []Entry) *delivery {
	d := &delivery{limits: limits, entries: entries, order: make([]int, 0, len(entries)), sent: make([]bool, len(entries))}
	limit := limits.entryBytes()
	for i := range entries {
		if size := entries[i].size(); over(size, limit) {
			d.result.Invalid = append(d.result.Invalid, d.invalid(i, fmt.Sprintf("over the limit of %d bytes", limit)))
			continue
		}
		d.order = append(d.order, i)
	}
	return d
}

// over reports whether n is over a limit. A limit of 0 is no limit.
func over(n, limit int) bool { return limit > 0 && n > limit }

// unsettled is the number of entries that wait or are suspects.
func (d *delivery) unsettled() int {
	n := len(d.order) - d.head
	for _, group := range d.suspects {
		n += len(group.entries)
	}
	return n
}

// take starts a call: the next group of suspects, or as many waiting entries as
// fit. The entries that it returns are valid until the next take.
func (d *delivery) take() []Entry {
	if last := len(d.suspects) - 1; last >= 0 {
		d.call, d.from = d.suspects[last].entries, d.suspects[last].of
		d.suspects = d.suspects[:last]
	} else {
		n := d.fitting()
		d.call, d.from = d.order[d.head:d.head+n], nil
		d.head += n
	}
	d.result.Calls++
	d.request = slices.Grow(d.request[:0], len(d.call))
	for _, index := range d.call {
		entry := d.entries[index]
		if d.sent[index] {
			d.result.Retried++
			delete(d.refusals, index)
			if key, ok := d.keys[index]; ok {
				entry.PartitionKey = key
			}
		}
		d.sent[index] = true
		d.request = append(d.request, entry)
	}
	return d.request
}

// fitting is the number of waiting entries that the next call carries. It is at
// least 1, because newDelivery has removed the entries that fit into no call.
func (d *delivery) fitting() int {
	waiting, bytes := d.order[d.head:], 0
	for n, index := range waiting {
		bytes += d.entries[index].size()
		if over(n+1, d.limits.Entries) || over(bytes, d.limits.CallBytes) {
			return n
		}
	}
	return len(waiting)
}

// settle ends the current call with the answer of the service. It returns the
// number of its entries that are settled and the number that must be sent again.
// Both are 0 when the call was halved.
func (d *delivery) settle(failures []Failure, err error) (settled, failed int) {
	verdicts, err := d.judge(failures, err)
	switch {
	case errors.Is(err, ErrInvalid) && len(d.call) > 1:
		d.halve()
		return 0, 0
	case errors.Is(err, ErrInvalid):
		d.refused(d.call[0], err)
		return 1, 0
	case err != nil:
		d.retryable(err, len(d.call))
		if d.from != nil {
			d.suspects = append(d.suspects, suspects{d.call, d.from})
		} else {
			d.putBack(d.call)
		}
		return 0, len(d.call)
	}
	if d.from != nil {
		d.from.cleared = true
	}
	if verdicts == nil {
		return len(d.call), 0
	}
	again := d.call[:0]
	for i, index := range d.call {
		switch err := verdicts[i]; {
		case err == nil:
		case errors.Is(err, ErrInvalid):
			d.result.Invalid = append(d.result.Invalid, d.invalid(index, refusal(err)))
		case errors.Is(err, ErrThrottled):
			d.retryable(err, 1)
			d.putBehind(index)
			failed++
		default:
			d.retryable(err, 1)
			d.noteRefusal(index)
			again = append(again, index)
		}
	}
	failed += len(again)
	settled = len(d.call) - failed
	d.putBack(again)
	return settled, failed
}

// judge arranges the failures of a call in the order of its entries: one error or
// nil for each entry, or nil if there is no failure. An answer that does not match
// the call is an error of the whole call, because it is unknown which entries it
// means.
func (d *delivery) judge(failures []Failure, err error) ([]error, error) {
	if err != nil || len(failures) == 0 {
		return nil, err
	}
	d.verdicts = slices.Grow(d.verdicts[:0], len(d.call))[:len(d.call)]
	clear(d.verdicts)
	for _, f := range failures {
		if f.Index < 0 || f.Index >= len(d.call) || f.Err == nil {
			return nil, fmt.Errorf("answer to %d entries names entry %d with error %v", len(d.call), f.Index, f.Err)
		}
		d.verdicts[f.Index] = f.Err
	}
	return d.verdicts, nil
}

// putBack makes entries wait before all others.
func (d *delivery) putBack(indices []int) {
	d.head -= len(indices)
	copy(d.order[d.head:], indices)
}

// putBehind makes a throttled entry wait behind all others.
func (d *delivery) putBehind(index int) {
	d.order = append(d.order, index)
	if d.entries[index].AnyShard {
		if d.keys == nil {
			d.keys = make(map[int]string)
		}
		d.keys[index] = fmt.Sprintf("%016x", rand.Uint64()) // #nosec G404 -- not a secret
	}
}

func (d *delivery) noteRefusal(index int) {
	if d.refusals == nil {
		d.refusals = make(map[int]bool)
	}
	d.refusals[index] = true
}

func (d *delivery) retryable(err error, entries int) {
	d.lastErr = err
	if errors.Is(err, ErrThrottled) {
		d.result.Throttled += entries
	}
}

func (d *delivery) invalid(index int, reason string) Invalid {
	e := &d.entries[index]
	return Invalid{
		Index:  index,
		Reason: fmt.Sprintf("entry %d of %d bytes (partition key %d, data %d): %s", index, e.size(), len(e.PartitionKey), len(e.Data), reason),
	}
}

func refusal(err error) string { return "refused by the service: " + err.Error() }

// finish returns the result, with all unsettled entries in Left.
func (d *delivery) finish() Result {
	d.result.Left = append(d.result.Left, d.order[d.head:]...)
	for _, group := range d.suspects {
		d.result.Left = append(d.result.Left, group.entries...)
	}
	d.finishHalved()
	slices.Sort(d.result.Left)
	for _, index := range d.result.Left {
		if d.refusals[index] {
			d.result.Refused = append(d.result.Refused, index)
		}
	}
	slices.SortFunc(d.result.Invalid, byIndex)
	slices.SortFunc(d.result.Doubtful, byIndex)
	return d.result
}

func byIndex(a, b Invalid) int { return a.Index - b.Index }
