"""Real MongoDB and Redis servers without Docker: found, started, adopted, stopped.

For `saga up`, `make demo` and the tests. Must never listen beyond loopback, and never signal a process that it has not
recognised as a server running on its own data directory.
"""

from adapters.servers.binaries import Binary, ServerMissing, find_mongod, find_redis_server
from adapters.servers.both import Servers
from adapters.servers.cluster import ClusterRedis
from adapters.servers.mongod import MongoServer, initiate_replica_set
from adapters.servers.process import LocalServer, ServerFailed
from adapters.servers.redis import RedisServer
from adapters.servers.sentinel import SentinelRedis

__all__ = [
    "Binary",
    "ClusterRedis",
    "LocalServer",
    "MongoServer",
    "RedisServer",
    "SentinelRedis",
    "ServerFailed",
    "ServerMissing",
    "Servers",
    "find_mongod",
    "find_redis_server",
    "initiate_replica_set",
]
