"""Prints the records of a Kinesis stream, from the oldest on."""
import sys
import time

import boto3

stream = sys.argv[1]
kinesis = boto3.client("kinesis")  # AWS_ENDPOINT_URL_KINESIS chooses the local pipeline
iterators = []
for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
    start = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
    iterators.append(start["ShardIterator"])
while iterators:
    pages = [kinesis.get_records(ShardIterator=iterator) for iterator in iterators]
    for page in pages:
        for record in page["Records"]:
            print(record["PartitionKey"], record["Data"].decode(), flush=True)
    iterators = [page["NextShardIterator"] for page in pages if page.get("NextShardIterator")]
    time.sleep(1)
