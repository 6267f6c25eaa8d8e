package sink

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// delivery is the state of one Put. Each entry is settled (delivered or
// invalid), waiting in order, in a group of suspects, or in the call under way.
type delivery struct {
	limits  Limits
	entries []Entry

	// order[head:] are the positions of the entries that wait. The first resends
	// of them have been sent before. What is put back goes right before head,
	// where there is room: every entry that is put back was once taken there.
	order   []int
	head    int
	resends int

	// suspects are groups of entries of which the service refused a call as
	// invalid, the next one last. They fit a call, and go alone.
	suspects [][]int

	// call is the call under way, suspect whether it is a group of suspects.
	call    []int
	suspect bool

	request  []Entry // reused from call to call
	verdicts []error // reused from call to call
	lastErr  error   // of the last refusal that was not final
	result   Result
}

func newDelivery(limits Limits, entries []Entry) *delivery {
	d := &delivery{limits: limits, entries: entries, order: make([]int, 0, len(entries))}
	most := limits.entryBytes()
	for i := range entries {
		if size := entries[i].size(); over(size, most) {
			d.invalid(i, fmt.Sprintf("over the limit of %d bytes", most))
			continue
		}
		d.order = append(d.order, i)
	}
	return d
}

// over reports whether n is over a limit, of which 0 is none.
func over(n, limit int) bool { return limit > 0 && n > limit }

// unsettled is the number of entries that wait or are suspects.
func (d *delivery) unsettled() int {
	n := len(d.order) - d.head
	for _, group := range d.suspects {
		n += len(group)
	}
	return n
}

// take begins a call: the next group of suspects, else the first of the waiting
// entries that fit. The entries it returns are good until the next take.
func (d *delivery) take() []Entry {
	if last := len(d.suspects) - 1; last >= 0 {
		d.call, d.suspect = d.suspects[last], true
		d.suspects = d.suspects[:last]
		d.result.Retried += len(d.call)
	} else {
		n := d.fitting()
		d.call, d.suspect = d.order[d.head:d.head+n], false
		d.head += n
		again := min(n, d.resends)
		d.resends -= again
		d.result.Retried += again
	}
	d.result.Calls++
	d.request = slices.Grow(d.request[:0], len(d.call))
	for _, index := range d.call {
		d.request = append(d.request, d.entries[index])
	}
	return d.request
}

// fitting is the number of waiting entries that the next call carries. The
// first always fits: what could not was found to be invalid at the start.
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

// settle ends the call under way with the service's answer. It returns how many
// of its entries are settled now and how many are to be sent again; both are 0
// when the call was halved.
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
		if d.suspect {
			d.suspects = append(d.suspects, d.call)
		} else {
			d.putBack(d.call)
		}
		return 0, len(d.call)
	case verdicts == nil:
		return len(d.call), 0
	}
	again := d.call[:0]
	for i, index := range d.call {
		switch err := verdicts[i]; {
		case err == nil:
		case errors.Is(err, ErrInvalid):
			d.refused(index, err)
		default:
			d.retryable(err, 1)
			again = append(again, index)
		}
	}
	settled = len(d.call) - len(again)
	d.putBack(again)
	return settled, len(again)
}

// judge brings the answer to a call into the order of the call: one error or
// nil for each entry, nil for no failure at all. An answer that does not fit
// the call is an error of the whole call: which entries it means is not known.
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

// halve makes two groups of suspects of the call. The halves of a call that was
// taken in order are a copy, for putBack writes to where it was.
func (d *delivery) halve() {
	call := d.call
	if !d.suspect {
		call = slices.Clone(call)
	}
	middle := len(call) / 2
	d.suspects = append(d.suspects, call[middle:], call[:middle])
}

// putBack makes entries wait again, before all others.
func (d *delivery) putBack(indices []int) {
	d.head -= len(indices)
	copy(d.order[d.head:], indices)
	d.resends += len(indices)
}

func (d *delivery) retryable(err error, entries int) {
	d.lastErr = err
	if errors.Is(err, ErrThrottled) {
		d.result.Throttled += entries
	}
}

func (d *delivery) refused(index int, err error) {
	d.invalid(index, "refused by the service: "+err.Error())
}

func (d *delivery) invalid(index int, reason string) {
	e := &d.entries[index]
	d.result.Invalid = append(d.result.Invalid, Invalid{
		Index:  index,
		Reason: fmt.Sprintf("entry %d of %d bytes (partition key %d, data %d): %s", index, e.size(), len(e.PartitionKey), len(e.Data), reason),
	})
}

// finish returns the result, with all that is unsettled in Left.
func (d *delivery) finish() Result {
	d.result.Left = append(d.result.Left, d.order[d.head:]...)
	for _, group := range d.suspects {
		d.result.Left = append(d.result.Left, group...)
	}
	slices.Sort(d.result.Left)
	slices.SortFunc(d.result.Invalid, func(a, b Invalid) int { return cmp.Compare(a.Index, b.Index) })
	return d.result
}
