"""A Redis that fails over by itself: a master, two replicas, and three Sentinels that agree on who is master."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from adapters.servers.process import ServerFailed, wait_until
from adapters.servers.redis import RedisServer, Refused

MASTER_NAME = "saga"
SENTINELS = 3
REPLICAS = 2
DOWN_AFTER_MS = 1_000  #: a master that is silent for so long is down
_AGREE_WITHIN_S = 30.0


class RedisNode(RedisServer):
    """A Redis that may become master or replica: it has a file in which Sentinels let it write what it is now."""

    @property
    def role(self) -> str:
        """`master` or `slave`, as Redis says. Raises `OSError` where nobody answers."""
        return str(self.execute("ROLE")[0])

    @property
    def is_synchronised(self) -> bool:
        """Whether it has all that its master had; a master has."""
        info = str(self.execute("INFO", "replication"))
        return "role:master" in info or "master_link_status:up" in info

    def _arguments(self, port: int) -> Sequence[str]:
        file = self.data_directory / "redis.conf"
        file.touch()
        return [str(file), *super()._arguments(port), "--repl-diskless-sync-delay", "0"]


class SentinelServer(RedisServer):
    """One Sentinel. It keeps what it knows in a file of its own."""

    program = "redis-sentinel"

    def __init__(self, directory: Path, master: RedisServer) -> None:
        """Keep log and state in `directory`; `master` is who is master at the very first start."""
        super().__init__(directory)
        self._master = master

    @property
    def url(self) -> str:
        """Where it is; clients need all of them."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def agrees(self) -> bool:
        """Whether it knows all the others and all replicas, and nothing is wrong with the master."""
        known = self.execute("SENTINEL", "MASTER", MASTER_NAME)
        facts = dict(zip(known[::2], known[1::2], strict=True)) if isinstance(known, list) else known
        others = (int(facts["num-other-sentinels"]), int(facts["num-slaves"]))
        return facts["flags"] == "master" and others == (SENTINELS - 1, REPLICAS)

    def _arguments(self, port: int) -> Sequence[str]:
        file = self.data_directory / "sentinel.conf"
        if not file.exists():
            file.write_text(
                f"sentinel monitor {MASTER_NAME} 127.0.0.1 {self._master.port} {SENTINELS // 2 + 1}\n"
                f"sentinel down-after-milliseconds {MASTER_NAME} {DOWN_AFTER_MS}\n"
                f"sentinel failover-timeout {MASTER_NAME} 10000\n"
            )
        options = ("bind", "127.0.0.1"), ("port", str(port)), ("dir", str(self.data_directory))
        more = ("logfile", str(self.log_file)), ("set-proc-title", "no"), ("daemonize", "no")
        return [str(file), "--sentinel", *(part for name, value in (*options, *more) for part in (f"--{name}", value))]

    def _serves(self, info: str) -> bool:
        return "sentinel_masters:" in info


class SentinelRedis:
    """All six, in one directory. Calls block. `start` raises as `LocalServer.start` does."""

    def __init__(self, directory: Path) -> None:
        """Prepare; nothing is started before `start`."""
        self.nodes = [RedisNode(directory / f"node-{number}") for number in range(1 + REPLICAS)]
        self.sentinels = [SentinelServer(directory / f"sentinel-{n}", self.nodes[0]) for n in range(SENTINELS)]

    @property
    def servers(self) -> Sequence[RedisServer]:
        """Each of them."""
        return [*self.nodes, *self.sentinels]

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"redis+sentinel://{','.join(f'127.0.0.1:{one.port}' for one in self.sentinels)}/{MASTER_NAME}"

    def start(self) -> str:
        """Start or adopt all; returns the URL once they agree on each other."""
        new = not (self.sentinels[0].data_directory / "sentinel.conf").exists()
        for node in self.nodes:
            node.start()
        if new:
            for node in self.nodes[1:]:
                node.execute("REPLICAOF", "127.0.0.1", self.nodes[0].port)
                node.execute("CONFIG", "REWRITE")
            self._await(lambda: all(node.is_synchronised for node in self.nodes), "its replicas have no data")
        for sentinel in self.sentinels:
            sentinel.start()
        self._await(lambda: all(sentinel.agrees for sentinel in self.sentinels), "its Sentinels do not agree")
        return self.url

    def stop(self) -> None:
        """End them; Sentinels first, for they would fail over."""
        for server in reversed(self.servers):
            server.stop()

    def kill(self) -> None:
        """Nothing of their data is wanted any more."""
        for server in reversed(self.servers):
            if server.is_running():
                server.kill()

    def master(self) -> RedisNode:
        """Who is master, as the Sentinels say now. Raises `ServerFailed` where none of them answers."""
        for sentinel in self.sentinels:
            with suppress(OSError, Refused):
                _, port = sentinel.execute("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME)
                return next(node for node in self.nodes if node.port == int(port))
        raise ServerFailed("no Sentinel answers")

    def heal(self) -> None:
        """Whatever was done to their processes, they run."""
        for server in self.servers:
            server.resume()
            server.start()
        master = self.master()
        for node in self.nodes:
            # The Sentinels would take ten seconds to say so. Where they do at this very moment, they end connections.
            with suppress(OSError):
                if node is not master and node.role == "master":
                    node.execute("REPLICAOF", "127.0.0.1", master.port)
        self.start()

    def fail_over(self) -> None:
        """Order another master, as an operator does; returns once there is one. Raises `ServerFailed`."""
        before = self.master()
        self._await(self._ordered, "the Sentinels do not want another master")
        self._await(lambda: self.master() is not before, "no other master was made")

    def _ordered(self) -> bool:
        """Whether a Sentinel has begun; it does not while it knows no replica that could be master."""
        with suppress(Refused):
            return bool(self.sentinels[0].execute("SENTINEL", "FAILOVER", MASTER_NAME))
        return False

    def _await(self, condition: Callable[[], bool], otherwise: str) -> None:
        if not wait_until(condition, _AGREE_WITHIN_S):
            raise ServerFailed(f"Redis with Sentinel is not ready after {_AGREE_WITHIN_S:.0f} s: {otherwise}")
