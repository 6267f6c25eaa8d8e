package main

import "slices"

// Quotas of AWS: the defaults of an account. Checked as the prices were.
const (
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
	// (2,500 in some newer Regions; the burst cannot be increased)
	apiRate, apiBurst = 10_000, 5_000
	// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
	// (a new account has less; it is increased with use or on request)
	concurrentExecutions = 1_000
	// https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
	// Each concurrent execution of the quota allows ten requests a second.
	requestsPerExecution = 10
	// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
	vCPUMemory = 1769
	// https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
	invocationBytesMax = 6_000_000
	// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
	shardRecords, shardBytes = 1_000, 1 << 20
	onDemandStreams          = 50
	onDemandStart            = 4 << 20
	// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/quota-limits.html
	clusterNodes = 90
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
	s3PutsPerPrefix = 3_500
)

// region has the quotas that depend on the Region.
type region struct {
	shards          int // of the account
	firehoseMiB     float64
	onDemandMaxMiBs float64 // of one stream
}

// largeRegions have larger quotas of Kinesis and Firehose than the others.
var largeRegions = []string{"us-east-1", "us-west-2", "eu-west-1"}

func regionOf(name string) region {
	if slices.Contains(largeRegions, name) {
		return region{shards: 20_000, firehoseMiB: 5, onDemandMaxMiBs: 10 << 10}
	}
	// 1,000 or 6,000 shards, by Region.
	return region{shards: 1_000, firehoseMiB: 1, onDemandMaxMiBs: 200}
}
