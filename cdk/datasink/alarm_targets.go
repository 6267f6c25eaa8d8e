package datasink

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// target is what an alarm watches, as names and values of dimensions in turn. The name
// distinguishes the targets of one alarm. metric replaces the metric of the alarm.
type target struct {
	name       string
	dimensions []*string
	metric     string
}

func (t target) properties() []*awscloudwatch.CfnAlarm_DimensionProperty {
	var list []*awscloudwatch.CfnAlarm_DimensionProperty
	for i := 0; i < len(t.dimensions); i += 2 {
		list = append(list, &awscloudwatch.CfnAlarm_DimensionProperty{Name: t.dimensions[i], Value: t.dimensions[i+1]})
	}
	return list
}

func dims(namesAndValues ...string) []*string { return *jsii.Strings(namesAndValues...) }

// The dimensions of the metrics that the functions emit.
func theService(w watched) []*string { return dims(metric.Service, w.Name) }

func theStream(w watched) []*string {
	return dims(metric.Service, w.Name, metric.Stream, w.stream.Name)
}

// resourceOf is the Kinesis stream or the Firehose of a stream.
func resourceOf(dimension string) func(watched) []*string {
	return func(w watched) []*string { return dims(dimension, stream.ResourceName(w.Name, w.stream.Name)) }
}

// theFunction is one function.
func theFunction(f string) func(watched) []*string {
	return func(w watched) []*string { return dims("FunctionName", functionName(w.Settings, f)) }
}

// theWakeDeadLetters is the queue of wake-ups on which drainers failed.
func theWakeDeadLetters(w watched) []*string {
	return dims("QueueName", wakeDeadLetters(w.Settings))
}

// theAPI is the HTTP API.
func theAPI(w watched) []*string {
	return []*string{jsii.String("ApiId"), w.apiID, jsii.String("Stage"), jsii.String(apiStage)}
}

// theCache is the replication group.
func theCache(w watched) []*string { return []*string{jsii.String("ReplicationGroupId"), w.cacheGroup} }

// theServerlessCache is the serverless cache.
func theServerlessCache(w watched) []*string { return dims("ServerlessCacheName", w.Name) }

// eachOf are several functions, each with an alarm of its own. Without taps there is no
// bridge.
func eachOf(functions ...string) func(watched) []target {
	return func(w watched) []target {
		var list []target
		for _, f := range functions {
			if f == bridgeFunction && !w.hasTaps() {
				continue
			}
			list = append(list, target{name: f, dimensions: theFunction(f)(w)})
		}
		return list
	}
}

// failedFolders are the folders to which AWS services write dead letters.
func failedFolders(w watched) []target {
	var list []target
	for _, f := range failedWrites {
		if f.id == lambdaWrites && !w.hasTaps() {
			continue
		}
		list = append(list, target{name: f.id, dimensions: []*string{jsii.String("BucketName"), w.bucket, jsii.String("FilterId"), jsii.String(f.id)}})
	}
	return list
}

// nodeMemory is the memory metric of a single node.
const nodeMemory = "DatabaseMemoryUsagePercentage"

// cacheMemory is the memory of the cache. For a replication group with several shards
// ElastiCache may publish a mean, so the first node of each shard is watched; the other
// nodes of a shard hold the same data.
func cacheMemory(w watched) []target {
	if w.CacheShards == 1 || !w.WatchesShards(len(w.streams)) {
		return []target{{dimensions: theCache(w)}}
	}
	var list []target
	for shard := range w.CacheShards {
		t := cacheNode(w, shard, 0)
		t.metric = nodeMemory
		list = append(list, t)
	}
	return list
}

// cacheNodes are the nodes of the cache, none for a large cache.
func cacheNodes(w watched) []target {
	if !w.WatchesNodes(len(w.streams)) {
		return nil
	}
	var list []target
	for shard := range w.CacheShards {
		for node := range 1 + w.CacheReplicas {
			list = append(list, cacheNode(w, shard, node))
		}
	}
	return list
}

// cacheNode is a node by the name that ElastiCache gives it.
func cacheNode(w watched, shard, node int) target {
	name := fmt.Sprintf("%04d-%03d", shard+1, node+1)
	return target{name: name, dimensions: []*string{jsii.String("CacheClusterId"), joined(w.cacheGroup, jsii.String("-"+name))}}
}
