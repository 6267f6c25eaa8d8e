package main

import (
	"github.com/data-sink/data-sink/internal/pipeline/env"
	"github.com/data-sink/data-sink/internal/pipeline/settings"
)

// defaults are the settings of a deployment for which nothing is set.
var defaults = settings.Default()

// maxSetting returns the largest value that a setting accepts.
func maxSetting(name string) int {
	s, found := settings.Find(name)
	if !found {
		panic("no setting " + name)
	}
	return s.Max
}

// secrets is the number of secrets: of the clients, and of the cache.
const secrets = 2

// Bounds and defaults of streams.json.
const (
	maxShards                = 500
	defaultShards            = 1
	bufferSeconds, bufferMiB = 60, 64
)

const (
	// rememberedKeys is the number of idempotency keys in a full generation of a stream.
	rememberedKeys = 100_000
	// redisReserved is the share of a node's memory that ElastiCache reserves, by its
	// parameter reserved-memory-percent.
	// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/redis-memory-management.html
	redisReserved = 0.25
)

// drainer and ingest have the default environments of these functions.
var (
	drainer = env.Defaults(env.ParseDrainer)
	ingest  = env.Defaults(env.ParseIngest)
)
