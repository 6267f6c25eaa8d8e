package chaos

import (
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/env"
)

const (
	realDrainer = "./functions/drainer"
	// lease is that of hurried: short, so that many run out.
	lease = 3 * time.Second
	// sweepInterval is that of hurried: a minute in the stack, but here the
	// drainers are to be at work whenever a fault comes.
	sweepInterval = 250 * time.Millisecond
)

// hurried are the settings of a run in which as much as can be is to go wrong in
// little time.
func hurried() settings {
	return settings{
		ingest: 8, drainers: 6, bridges: 4, drainer: realDrainer,
		leasing:   leasing{lease: lease, records: 50, bytes: 256 << 10},
		ingestEnv: []string{env.ClientsMaxAge + "=2s"},
		drainerEnv: []string{
			env.ClaimsInFlight + "=4", env.ScaleOutRecords + "=2000", env.MaxDrainers + "=3",
		},
		schedule: sweepInterval, wakeUps: 4,
	}
}

// deployed are the settings with which the stack deploys the functions, with as
// many processes as one machine can bear.
func deployed() settings {
	return settings{
		ingest: 64, drainers: 40, bridges: 8, drainer: realDrainer,
		leasing:  leasing{lease: 20 * time.Second, records: 500, bytes: 1 << 20},
		schedule: time.Minute, wakeUps: 20,
	}
}
