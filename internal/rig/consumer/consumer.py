"""Prints the records of a Kinesis stream. The next run continues where this one ends."""
import json
import os
import sys
import time

import boto3

FINISHED = "finished"
stream = sys.argv[1]
file = stream + ".json"  # by shard: the sequence number of the last record, or FINISHED
positions = json.load(open(file)) if os.path.exists(file) else {}
iterators = {}
kinesis = boto3.client("kinesis")  # AWS_ENDPOINT_URL_KINESIS chooses the local pipeline


def open_shards():
    """Opens the shards whose parents are finished: so records with one partition key keep their order."""
    page = kinesis.list_shards(StreamName=stream)
    shards = {shard["ShardId"]: shard for shard in page["Shards"]}
    while page.get("NextToken"):
        page = kinesis.list_shards(NextToken=page["NextToken"])
        shards |= {shard["ShardId"]: shard for shard in page["Shards"]}
    for name, shard in shards.items():
        parents = {shard.get("ParentShardId"), shard.get("AdjacentParentShardId")} & shards.keys()
        position = positions.get(name)
        if name in iterators or position == FINISHED or any(positions.get(p) != FINISHED for p in parents):
            continue
        start = {"ShardIteratorType": "TRIM_HORIZON"}
        if position:
            start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": position}
        iterators[name] = kinesis.get_shard_iterator(StreamName=stream, ShardId=name, **start)["ShardIterator"]


while True:
    open_shards()
    for name in list(iterators):
        try:
            page = kinesis.get_records(ShardIterator=iterators.pop(name))
        except (kinesis.exceptions.ExpiredIteratorException, kinesis.exceptions.ProvisionedThroughputExceededException):
            continue  # open_shards opens the shard again at its position
        for record in page["Records"]:
            print(record["PartitionKey"], record["Data"].decode(), flush=True)
            positions[name] = record["SequenceNumber"]
        if page.get("NextShardIterator"):
            iterators[name] = page["NextShardIterator"]
        else:
            positions[name] = FINISHED
        with open(file + ".new", "w") as new:
            json.dump(positions, new)
        os.replace(file + ".new", file)
    time.sleep(1)
