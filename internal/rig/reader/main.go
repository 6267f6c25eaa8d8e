// Command reader prints the records of a Kinesis stream, from the oldest on.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

func main() {
	ctx, stream := context.Background(), os.Args[1]
	cfg, err := config.LoadDefaultConfig(ctx) // AWS_ENDPOINT_URL_KINESIS chooses the local pipeline
	if err != nil {
		log.Fatal(err)
	}
	client := kinesis.NewFromConfig(cfg)
	shards, err := client.ListShards(ctx, &kinesis.ListShardsInput{StreamName: &stream})
	if err != nil {
		log.Fatal(err)
	}
	for _, shard := range shards.Shards[1:] {
		go read(ctx, client, stream, shard)
	}
	read(ctx, client, stream, shards.Shards[0])
}

func read(ctx context.Context, client *kinesis.Client, stream string, shard types.Shard) {
	start, err := client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
		StreamName: &stream, ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		log.Fatal(err)
	}
	for next := start.ShardIterator; next != nil; time.Sleep(time.Second) {
		page, err := client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: next})
		if err != nil {
			log.Fatal(err)
		}
		for _, r := range page.Records {
			fmt.Printf("%s %s\n", *r.PartitionKey, r.Data)
		}
		next = page.NextShardIterator
	}
}
