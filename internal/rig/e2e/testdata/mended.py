"""The emulator, mended in one place where it differs from ElastiCache.

A replication group in cluster mode has a configuration endpoint on AWS, however
many shards it has; the emulator gives it one from three shards on only. Without
this the default stack, whose cache has one shard, could not be deployed as it is.
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
