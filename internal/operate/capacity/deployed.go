package main

import (
	"fmt"

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
	// scaleSeconds is the time after which a drainer decides again how many drainers
	// its stream needs.
	scaleSeconds = 5
	// rememberedKeys is the number of idempotency keys in a full generation of a stream.
	rememberedKeys = 100_000
	// redisReserved is the share of a node's memory that ElastiCache reserves, by its
	// parameter reserved-memory-percent.
	// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/redis-memory-management.html
	redisReserved = 0.25
)

// drainer has the default environment of the drainer function.
var drainer = func() env.Drainer {
	e, err := env.ParseDrainer(variable)
	if err != nil {
		panic(fmt.Sprintf("the defaults of the drainer: %v", err))
	}
	return e
}()

// ingest has the default environment of the ingest function.
var ingest = func() env.Ingest {
	e, err := env.ParseIngest(variable)
	if err != nil {
		panic(fmt.Sprintf("the defaults of ingest: %v", err))
	}
	return e
}()

// variable returns a value for each variable that has no default.
func variable(name string) string {
	return map[string]string{
		env.Name: "datasink", env.ArchiveBucket: "archive", env.RedisURL: "redis://localhost", env.WakeQueueURL: "http://localhost",
		env.ClientsSecret: "clients",
	}[name]
}
