"""The emulator with three patches.

On AWS a replication group in cluster mode has a configuration endpoint for any
number of shards. The emulator adds one only from three shards on. Without the patch
the default stack, whose cache has one shard, could not be deployed unchanged.

While the file no-caches exists in the working directory, no cache can be created.

On AWS the condition key aws:PrincipalArn of a function is the ARN of its role. The
emulator compares the ARN of the session.
"""

import os

from ministack.app import app  # noqa: F401  (what the server runs)
from ministack.core import iam_evaluator
from ministack.services import elasticache

create = elasticache._create_replication_group


def create_replication_group(parameters):
    if os.path.exists("no-caches"):
        return elasticache._error("InsufficientCacheClusterCapacity", "There is no capacity for the cache.", 400)
    response = create(parameters)
    group = elasticache._replication_groups.get(elasticache._p(parameters, "ReplicationGroupId"))
    if group and group["ClusterMode"] == "enabled" and not group["ConfigurationEndpoint"]:
        group["ConfigurationEndpoint"] = group["NodeGroups"][0]["PrimaryEndpoint"]
        group["ClusterEnabled"] = True
    return response


elasticache._create_replication_group = create_replication_group

resolve = iam_evaluator._resolve_condition_key


def resolve_condition_key(key, context):
    value = resolve(key, context)
    if key.lower() == "aws:principalarn" and ":assumed-role/" in (value or ""):
        account, role = value.split(":")[4], value.split("/")[1]
        return f"arn:aws:iam::{account}:role/{role}"
    return value


iam_evaluator._resolve_condition_key = resolve_condition_key
