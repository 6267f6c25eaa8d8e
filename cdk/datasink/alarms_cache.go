package datasink

import "fmt"

// maxCachePercent leaves memory for draining.
const maxCachePercent = 75

// cacheAlarms are the alarms of a cache with nodes. For a whole replication group
// ElastiCache publishes only the memory that counts for eviction, and evictions only for
// each node.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/AutoScaling-Scaling-Policies-Target.html
var cacheAlarms = []alarm{
	{
		id: "cache-memory", metric: source{"AWS/ElastiCache", "DatabaseMemoryUsageCountedForEvictPercentage", cacheMemory}, statistic: maximum,
		over: fixed(maxCachePercent, fmt.Sprintf("%d %%", maxCachePercent)), in: spell{3, 5, minute},
		means: "The cache is filling up. When it is full, records become direct records, which are not on the tap.",
		first: "find the stream whose QueueDepth grows, and the reason why it does not drain. Then choose a larger cacheNodeType. More cacheShards do not help a stream with more than 256 MB of backlog, because it cannot move to another shard.",
	},
	{
		id: "cache-evictions", metric: source{"AWS/ElastiCache", "Evictions", cacheNodes}, statistic: sum, over: zero, in: spell{1, 1, minute},
		means: "The cache evicts keys to free memory. Accepted records may be lost.",
		first: "set maxmemory-policy in the parameter group of the cache back to noeviction.",
	},
}

// serverlessAlarms are the alarms of a serverless cache.
var serverlessAlarms = []alarm{
	{
		id: "cache-memory", metric: aws("ElastiCache", "BytesUsedForCache", theServerlessCache), statistic: maximum,
		over: limit{
			fmt.Sprintf("%d %% of `cacheMaxGB`", maxCachePercent),
			func(w watched) float64 { return float64(w.CacheMaxGB) * 1e9 * maxCachePercent / 100 },
		}, in: spell{3, 5, minute},
		means: "The cache is filling up. When it reaches cacheMaxGB, records become direct records, which are not on the tap.",
		first: "find the stream whose QueueDepth grows, and the reason why it does not drain. Then increase cacheMaxGB.",
	},
	{
		id: "cache-throttles", metric: aws("ElastiCache", "ThrottledCmds", theServerlessCache), statistic: sum, over: zero, in: spell{3, 5, minute},
		means: "The cache throttles commands, because the load grew faster than the cache scales. Records become direct records, which are not on the tap.",
		first: "wait for some minutes: the cache doubles its capacity every 10 to 12 minutes. If it happens often, use cache=nodes.",
	},
}
