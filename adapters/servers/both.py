"""MongoDB and Redis together, as `saga up` and the tests want them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from adapters.servers.cluster import ClusterRedis
from adapters.servers.mongod import MongoServer
from adapters.servers.redis import RedisServer
from adapters.servers.sentinel import SentinelRedis

#: What Redis can be made of, beside one server.
OF_SEVERAL: Mapping[str, Callable[[Path], SentinelRedis | ClusterRedis]] = {
    "sentinel": SentinelRedis,
    "cluster": ClusterRedis,
}


class Servers:
    """Both servers in one data directory; a server whose URL is given is used as it is and never started or stopped."""

    def __init__(
        self,
        data_directory: Path,
        *,
        mongo_url: str | None = None,
        redis_url: str | None = None,
        redis: str = "one",
    ) -> None:
        """Prepare; nothing is started before `start`. `redis`: one server, or as `OF_SEVERAL` names it."""
        self._mongo_url = mongo_url
        self._redis_url = redis_url
        self.mongo = MongoServer(data_directory / "mongo")
        self.redis = RedisServer(data_directory / "redis")
        of_several = OF_SEVERAL.get(redis)
        self._redis: RedisServer | SentinelRedis | ClusterRedis = self.redis
        if of_several is not None:
            self._redis = of_several(data_directory / f"redis-{redis}")

    @property
    def mongo_url(self) -> str:
        """Where MongoDB is."""
        return self._mongo_url or self.mongo.url

    @property
    def redis_url(self) -> str:
        """Where Redis is."""
        return self._redis_url or self._redis.url

    def start(self) -> None:
        """Start or adopt what has no URL; if one fails, the other is not left behind. Raises as `LocalServer.start`."""
        try:
            if not self._redis_url:
                self._redis.start()
            if not self._mongo_url:
                self.mongo.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop what this process has started, or adopted from a starter that died."""
        self.mongo.stop()
        self._redis.stop()
