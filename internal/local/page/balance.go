package page

import "fmt"

// balance says where the accepted records of a stream, or of all streams, are. It
// is computed so that
//
//	accepted + copies = redis + missing + tap + firehose + archive + dead
//
// at every moment.
type balance struct {
	accepted int64 // with the found ones
	found    int64 // of accepted: records that an earlier pipeline left
	// copies counts records that are counted at two places: those that are on the
	// tap and not acknowledged yet, and those that were delivered twice.
	copies   int64
	redis    int64 // in queues and claims
	missing  int64 // should be in Redis and are not
	tap      int64
	firehose int64
	archive  int64
	direct   int64 // of archive: direct records
	dead     int64
}

// onTheWay is the number of records between Redis and the archive.
func (b balance) onTheWay() int64 { return max(0, b.redis+b.tap+b.firehose-b.copies) }

func (b *balance) add(o balance) {
	b.accepted += o.accepted
	b.found += o.found
	b.copies += o.copies
	b.redis += o.redis
	b.missing += o.missing
	b.tap += o.tap
	b.firehose += o.firehose
	b.archive += o.archive
	b.direct += o.direct
	b.dead += o.dead
}

// balance reads the counters. A record is counted at a stage shortly after it has
// arrived there, and may be counted at a later stage already: the counters are read
// from the last stage to the first, and a stage has seen at least the records that
// the next one has. Page.mu is held.
func (m *meter) balance() balance {
	archived, deadAtBridge := m.crossing.archived(), m.deadAtBridge.Load()
	drained := m.drained.Load() // past the tap
	bridged := max(m.bridged.Load()+drained, archived+deadAtBridge)
	forwarded, deadAtDrainer := m.forwarded.Load(), m.deadAtDrainer.Load()
	tapped := max(m.tapped.Load()+drained, bridged-m.foundOnTap, forwarded)
	direct := m.direct.Load()
	queued := m.pushed.Load() + m.foundInRedis
	settled := forwarded + deadAtDrainer
	b := balance{
		accepted: queued + m.foundOnTap + direct, found: m.foundInRedis + m.foundOnTap, direct: direct,
		redis: max(0, queued-settled), tap: m.foundOnTap + tapped - bridged,
		firehose: bridged - deadAtBridge - archived, archive: archived + direct, dead: deadAtDrainer + deadAtBridge,
		copies: tapped - forwarded + max(0, settled-queued),
	}
	// A record that is on the tap twice, or whose claim was lost with Redis after it
	// had reached the tap, is not missing.
	both := min(m.missing, b.redis, b.copies)
	b.redis -= both
	b.copies -= both
	b.missing = min(m.missing-both, b.redis)
	b.redis -= b.missing
	return b
}

// answer answers the question whether any record is lost.
func (b balance) answer(redisDown bool) string {
	way := b.onTheWay()
	dead := ""
	if b.dead > 0 {
		dead = fmt.Sprintf(" %s under failed/.", plural(b.dead, "record is a dead letter", "records are dead letters"))
	}
	switch {
	case b.missing > 0:
		return fmt.Sprintf("Yes: Redis has lost %s.%s", plural(b.missing, "record", "records"), dead)
	case redisDown && b.redis > 0:
		return fmt.Sprintf("Unknown: Redis is unreachable, and %s there.%s", plural(b.redis, "record waits", "records wait"), dead)
	case b.accepted == 0:
		return "No record was accepted yet."
	case way > 0:
		return fmt.Sprintf("No: %s on the way to the archive.%s", plural(way, "record is", "records are"), dead)
	case b.dead > 0:
		return fmt.Sprintf("No:%s All others are in the archive.", dead)
	}
	return "No: all accepted records are in the archive."
}

// plural returns n with the word for one or for many.
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}
