package chaos

import (
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/env"
)

const (
	realDrainer = "functions/drainer"
	// lease is the lease of hurried settings: short, so that many leases end during
	// a run.
	lease = 3 * time.Second
	// sweepInterval is the interval of sweeps in hurried settings. The stack's is a
	// minute, but a run needs drainers at work whenever a fault comes.
	sweepInterval = 250 * time.Millisecond
)

// hurried are the settings with which as much as possible goes wrong in little time.
func hurried() settings {
	return settings{
		ingest: 8, drainers: 6, bridges: 4, drainer: realDrainer,
		leasing:   leasing{lease: lease, records: 50, bytes: 256 << 10},
		ingestEnv: []string{env.ClientsMaxAge + "=2s"},
		drainerEnv: []string{
			env.ClaimsInFlight + "=4", env.ScaleOutRecords + "=2000", env.MaxDrainers + "=3",
		},
		schedule: sweepInterval, wakeUps: 4, tls: true, replica: true,
	}
}

// deployed are the settings of the stack, with as many processes as one machine can
// bear.
func deployed() settings {
	e := env.Defaults(env.ParseDrainer)
	return settings{
		ingest: 64, drainers: 40, bridges: 8, drainer: realDrainer,
		leasing:  leasing{lease: e.Lease, records: e.ClaimRecords, bytes: e.ClaimBytes},
		schedule: time.Minute, wakeUps: 20,
	}
}
