package verify

import (
	"cmp"
	"fmt"
)

// Queue is the counters of a stream's queue, in records.
type Queue struct {
	Accepted     int64 `json:"accepted"`
	Queued       int64 `json:"queued"`
	Claimed      int64 `json:"claimed"`
	Forwarded    int64 `json:"forwarded"`
	DeadLettered int64 `json:"deadLettered"`
	// Lost counts records that were accepted and then were neither in the queue nor
	// counted as forwarded or dead letters.
	Lost int64 `json:"lost"`
	// Reset is set if the logs have more records of the window than were ever accepted:
	// Redis was replaced or lost its data, with the counters. Records that waited in it
	// then are unknown to the verification.
	Reset bool `json:"reset,omitempty"`
}

// judgeReset compares the counters with the logs.
func (v *verification) judgeReset() {
	if q := v.report.Queue; q != nil && v.report.Equal() {
		q.Reset = int64(v.report.Bridged.Records+v.report.Drained.Records) > q.Accepted
	}
}

// judgeQueue compares the counters of the queue with each other and with the
// lengths of its lists.
func (v *verification) judgeQueue() {
	s := v.Queue
	if s == nil {
		return
	}
	q := Queue{Accepted: s.Accepted, Queued: s.Depth, Claimed: s.ClaimedRecords, Forwarded: s.Forwarded, DeadLettered: s.DeadLettered, Lost: s.Lost}
	v.report.Queue = &q
	sum := q.Queued + q.Claimed + q.Forwarded + q.DeadLettered + q.Lost
	if s.Exact && !s.Settling && sum != q.Accepted {
		v.report.find(unbalanced("records", q.Accepted, sum))
	}
	bytes := s.QueuedBytes + s.ClaimedBytes + s.ForwardedBytes + s.DeadLetteredBytes + s.LostBytes
	if s.Exact && s.Measured && bytes != s.AcceptedBytes {
		v.report.find(unbalanced("bytes", s.AcceptedBytes, bytes))
	}
	switch {
	case v.LostSince.IsZero() && !v.inWindow(s.LostAt), s.LostAt.Before(v.LostSince):
	case s.Lost > 0 || s.Lost == 0 && s.LostBytes > 0:
		v.report.find(Finding{
			Kind: Lost, Hop: HopQueue, Records: int(s.Lost), Bytes: s.LostBytes, LoggedAt: s.LostAt,
			Detail: fmt.Sprintf("accepted and gone from Redis: %s, %s in total, found last at %s", counted(s.Lost, "record"), counted(s.LostBytes, "byte"), stamp(s.LostAt)),
		})
	case cmp.Or(s.Lost, s.LostBytes) < 0:
		v.report.find(Finding{
			Kind: Twice, Hop: HopQueue, Records: int(-s.Lost), Bytes: -s.LostBytes, LoggedAt: s.LostAt,
			Detail: fmt.Sprintf("forwarded more often than accepted, as after a failover: %s, %s in total, found last at %s", counted(-s.Lost, "record"), counted(-s.LostBytes, "byte"), stamp(s.LostAt)),
		})
	}
}

func unbalanced(what string, accepted, sum int64) Finding {
	return Finding{
		Kind: Unbalanced, Hop: HopQueue,
		Detail: fmt.Sprintf("accepted %d %s, but %d are queued, claimed, forwarded, dead letters or known to be lost", accepted, what, sum),
	}
}
