package chaos

import (
	"time"

	"github.com/data-sink/data-sink/internal/pipeline/env"
)

// settings configure the functions and their triggers.
type settings struct {
	// ingest, drainers and bridges are the maximum numbers of processes.
	ingest, drainers, bridges int
	// drainer is the package of the drainer's bootstrap.
	drainer string
	leasing leasing
	// ingestEnv and drainerEnv are variables in the form "NAME=value".
	ingestEnv, drainerEnv []string
	// schedule is the interval of sweeps. wakeUps is the number of wake-ups that the
	// drainer serves at once.
	schedule time.Duration
	wakeUps  int
	// cluster runs Redis as a cluster of three nodes.
	cluster bool
	// replica runs a replica of Redis, and tls connects ingest to Redis by TLS.
	// Neither is possible with a cluster.
	replica, tls bool
	// keys lets clients send every record with an idempotency key until it is
	// accepted. It is not possible with tls.
	keys bool
	// unjudged is for scenarios without a verdict: Redis keeps nothing on disk, as in
	// ElastiCache, and claims are not watched.
	unjudged bool
}

// watchesIngest reports whether processes of ingest are watched. In a cluster a watcher
// also replaces the addresses of the nodes.
func (s settings) watchesIngest() bool { return s.cluster || s.keys }

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
