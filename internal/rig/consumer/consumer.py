"""Prints the records of a Kinesis stream, one line each, from the oldest on."""
import sys
import time

import boto3

stream = sys.argv[1]
kinesis = boto3.client("kinesis")  # AWS_ENDPOINT_URL_KINESIS chooses the local pipeline
shards = kinesis.list_shards(StreamName=stream)["Shards"]
iterators = [
    kinesis.get_shard_iterator(StreamName=stream, ShardId=s["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    for s in shards
]
while iterators:
    pages = [kinesis.get_records(ShardIterator=i) for i in iterators]
    for record in (r for page in pages for r in page["Records"]):
        print(record["PartitionKey"], record["Data"].decode(), flush=True)
    iterators = [page["NextShardIterator"] for page in pages if page.get("NextShardIterator")]
    time.sleep(1)
