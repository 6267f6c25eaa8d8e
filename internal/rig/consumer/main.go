// Command consumer prints the records of a Kinesis stream. The next run continues where
// this one ends.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

const finished = "finished"

type consumer struct {
	client    *kinesis.Client
	stream    string
	positions map[string]string  // by shard: the sequence number of the last record, or finished
	iterators map[string]*string // by shard
}

func main() {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx) // AWS_ENDPOINT_URL_KINESIS chooses the local pipeline
	if err != nil {
		log.Fatal(err)
	}
	c := consumer{kinesis.NewFromConfig(cfg), os.Args[1], map[string]string{}, map[string]*string{}}
	content, err := os.ReadFile(c.file())
	if err == nil {
		err = json.Unmarshal(content, &c.positions)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		log.Fatal(err)
	}
	for ; ; time.Sleep(time.Second) {
		if err := c.read(ctx); err != nil {
			log.Fatal(err)
		}
	}
}

func (c *consumer) file() string { return c.stream + ".json" }

// read reads each open shard once.
func (c *consumer) read(ctx context.Context) error {
	if err := c.open(ctx); err != nil {
		return err
	}
	for shard, iterator := range c.iterators {
		page, err := c.client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator})
		if errors.As(err, new(*types.ExpiredIteratorException)) || errors.As(err, new(*types.ProvisionedThroughputExceededException)) {
			delete(c.iterators, shard) // open opens the shard again at its position
			continue
		}
		if err != nil {
			return err
		}
		for _, r := range page.Records {
			fmt.Printf("%s %s\n", *r.PartitionKey, r.Data)
			c.positions[shard] = *r.SequenceNumber
		}
		c.iterators[shard] = page.NextShardIterator
		if page.NextShardIterator == nil {
			delete(c.iterators, shard)
			c.positions[shard] = finished
		}
		if err := c.save(); err != nil {
			return err
		}
	}
	return nil
}

// open opens the shards whose parents are finished: so records with one partition key
// keep their order.
func (c *consumer) open(ctx context.Context) error {
	shards := map[string]types.Shard{}
	for page := (&kinesis.ListShardsInput{StreamName: &c.stream}); page != nil; {
		out, err := c.client.ListShards(ctx, page)
		if err != nil {
			return err
		}
		for _, s := range out.Shards {
			shards[*s.ShardId] = s
		}
		page = nil
		if out.NextToken != nil {
			page = &kinesis.ListShardsInput{NextToken: out.NextToken}
		}
	}
	isOpen := func(id *string) bool {
		_, exists := shards[aws.ToString(id)]
		return exists && c.positions[*id] != finished
	}
	for id, s := range shards {
		position := c.positions[id]
		if c.iterators[id] != nil || position == finished || isOpen(s.ParentShardId) || isOpen(s.AdjacentParentShardId) {
			continue
		}
		start := &kinesis.GetShardIteratorInput{StreamName: &c.stream, ShardId: &id, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
		if position != "" {
			start.ShardIteratorType, start.StartingSequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &position
		}
		out, err := c.client.GetShardIterator(ctx, start)
		if err != nil {
			return err
		}
		c.iterators[id] = out.ShardIterator
	}
	return nil
}

func (c *consumer) save() error {
	content, err := json.Marshal(c.positions)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.file()+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(c.file()+".new", c.file())
}
