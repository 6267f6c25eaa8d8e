package datasink

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/metric"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// target is the metric that an alarm watches, as names and values of its dimensions
// in turn. The name distinguishes the targets of one alarm.
type target struct {
	name       string
	dimensions []*string
}

func (t target) properties() []*awscloudwatch.CfnAlarm_DimensionProperty {
	var list []*awscloudwatch.CfnAlarm_DimensionProperty
	for i := 0; i < len(t.dimensions); i += 2 {
		list = append(list, &awscloudwatch.CfnAlarm_DimensionProperty{Name: t.dimensions[i], Value: t.dimensions[i+1]})
	}
	return list
}

func dims(namesAndValues ...string) []*string { return *jsii.Strings(namesAndValues...) }

// one returns the targets of an alarm that has only one.
func one(dimensions func(w watched) []*string) func(watched) []target {
	return func(w watched) []target { return []target{{dimensions: dimensions(w)}} }
}

// The dimensions of the metrics that the functions emit.
var (
	theService = one(func(w watched) []*string { return dims(metric.Service, w.Name) })
	theStream  = one(func(w watched) []*string { return dims(metric.Service, w.Name, metric.Stream, w.stream.Name) })
)

// resourceOf is the Kinesis stream or the Firehose of a stream.
func resourceOf(dimension string) func(watched) []target {
	return one(func(w watched) []*string { return dims(dimension, stream.ResourceName(w.Name, w.stream.Name)) })
}

// theFunction is one function.
func theFunction(f string) func(watched) []target {
	return one(func(w watched) []*string { return dims("FunctionName", functionName(w.Settings, f)) })
}

// eachOf are several functions, each with an alarm of its own.
func eachOf(functions ...string) func(watched) []target {
	return func(w watched) []target {
		var list []target
		for _, f := range functions {
			list = append(list, target{f, theFunction(f)(w)[0].dimensions})
		}
		return list
	}
}

// theAPI is the HTTP API.
func theAPI(w watched) []target {
	return []target{{dimensions: []*string{jsii.String("ApiId"), w.apiID, jsii.String("Stage"), jsii.String(apiStage)}}}
}

// theCache is the replication group, if the stack creates one.
func theCache(w watched) []target {
	if w.cacheGroup == nil {
		return nil
	}
	return []target{{dimensions: []*string{jsii.String("ReplicationGroupId"), w.cacheGroup}}}
}

// maxNodeAlarms bounds the number of alarms of a large cache. The dashboard shows all
// of its nodes.
const maxNodeAlarms = 20

// cacheNodes are the nodes of the replication group, by the names that ElastiCache
// gives them.
func cacheNodes(w watched) []target {
	if w.cacheGroup == nil || w.CacheShards*(1+w.CacheReplicas) > maxNodeAlarms {
		return nil
	}
	var list []target
	for shard := range w.CacheShards {
		for node := range 1 + w.CacheReplicas {
			name := fmt.Sprintf("%04d-%03d", shard+1, node+1)
			list = append(list, target{name, []*string{jsii.String("CacheClusterId"), joined(w.cacheGroup, jsii.String("-"+name))}})
		}
	}
	return list
}
