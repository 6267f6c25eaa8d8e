"""The emulator with one patch, where it differs from ElastiCache.

On AWS a replication group in cluster mode has a configuration endpoint for any
number of shards. The emulator adds one only from three shards on. Without the patch
the default stack, whose cache has one shard, could not be deployed unchanged.
"""

from ministack.app import app  # noqa: F401  (what the server runs)
from ministack.services import elasticache

create = elasticache._create_replication_group


def create_replication_group(parameters):
    response = create(parameters)
    group = elasticache._replication_groups.get(elasticache._p(parameters, "ReplicationGroupId"))
    if group and group["ClusterMode"] == "enabled" and not group["ConfigurationEndpoint"]:
        group["ConfigurationEndpoint"] = group["NodeGroups"][0]["PrimaryEndpoint"]
        group["ClusterEnabled"] = True
    return response


elasticache._create_replication_group = create_replication_group
