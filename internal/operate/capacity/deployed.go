package main

import (
	"fmt"

	"github.com/data-sink/data-sink/internal/pipeline/env"
)

// Settings of the CDK app that capacity depends on, by their names, with their
// defaults and the most that is allowed. The app cannot be imported: a test reads
// its source.
const (
	throttleRateMax       = 1_000_000
	throttleRate          = 5_000
	cacheNodeType         = "cache.t4g.small"
	cacheShards           = 1
	cacheShardsMax        = 500
	cacheReplicas         = 1
	drainerConcurrency    = 20
	drainerConcurrencyMax = 1_000
	streamDrainers        = 10
	ingestMemory          = 256
	drainerMemory         = 256
	bridgeMemory          = 128
	memoryMin             = 128
	memoryMax             = 10_240
)

// Constants of the CDK app, by their names there.
const (
	bridgeRecords = 10_000
	bridgeWindow  = 5
	// parallelization is the mapping's ParallelizationFactor: batches of a shard at once.
	parallelization = 1
)

// What the README says of the deployment: alarms of the service and of a stream,
// interface endpoints and the zones they stand in, secrets, streams that fit.
const (
	serviceAlarms, streamAlarms = 19, 3
	interfaceEndpoints, zones   = 3, 2
	secrets                     = 2
	maxStreams                  = 300
)

// Of streams.json: the most shards of a stream, and the defaults.
const (
	maxShards                = 500
	defaultShards            = 1
	bufferSeconds, bufferMiB = 60, 64
)

const (
	// sweepSeconds are between two sweeps, scaleSeconds between two looks of a
	// drainer at how many are needed.
	sweepSeconds, scaleSeconds = 60, 5
	// redisReserved is the part of a node's memory that ElastiCache keeps free, by
	// its parameter reserved-memory-percent.
	// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/redis-memory-management.html
	redisReserved = 0.25
)

// drainer has the settings of the drainer function, by default.
var drainer = func() env.Drainer {
	e, err := env.ParseDrainer(func(name string) string {
		return map[string]string{
			env.Name: "datasink", env.ArchiveBucket: "archive", env.RedisURL: "redis://localhost", env.WakeQueueURL: "http://localhost",
		}[name]
	})
	if err != nil {
		panic(fmt.Sprintf("the drainer's defaults: %v", err))
	}
	return e
}()

// ingest has the settings of the ingest function, by default.
var ingest = func() env.Ingest {
	e, err := env.ParseIngest(func(name string) string {
		return map[string]string{
			env.Name: "datasink", env.ArchiveBucket: "archive", env.RedisURL: "redis://localhost", env.WakeQueueURL: "http://localhost",
			env.ClientsSecret: "clients",
		}[name]
	})
	if err != nil {
		panic(fmt.Sprintf("ingest's defaults: %v", err))
	}
	return e
}()
