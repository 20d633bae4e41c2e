"""A Redis Cluster: three masters, each with a replica that takes its place."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from adapters.servers.process import ServerFailed, free_port, wait_until
from adapters.servers.redis import RedisServer, Refused

MASTERS = 3
NODE_TIMEOUT_MS = 2_000  #: a master that is silent for so long is down
_SLOTS = 16_384
_BUS = 10_000  #: nodes talk to each other on a port so much higher than that for clients
_AGREE_WITHIN_S = 30.0


class ClusterNode(RedisServer):
    """One node. It knows which it is, and the others, from a file of its own."""

    @property
    def id(self) -> str:
        """Its name among the nodes."""
        return str(self.execute("CLUSTER", "MYID"))

    @property
    def is_master(self) -> bool:
        """Whether it serves slots. Raises `OSError` where it does not answer."""
        return bool(self.execute("ROLE")[0] == "master")

    def agrees(self, nodes: int) -> bool:
        """Whether it sees so many nodes and a master for every slot, and has all that its own master had."""
        state = str(self.execute("CLUSTER", "INFO"))
        in_step = self.is_master or "master_link_status:up" in str(self.execute("INFO", "replication"))
        return "cluster_state:ok" in state and f"cluster_known_nodes:{nodes}\r" in state and in_step

    def _ports(self) -> Iterator[int]:
        for port in super()._ports():
            while port + _BUS > 65_535:
                port = free_port()  # noqa: PLW2901 - another one for the same try
            yield port

    def _arguments(self, port: int) -> Sequence[str]:
        return [
            *super()._arguments(port),
            *("--cluster-enabled", "yes"),
            *("--cluster-node-timeout", str(NODE_TIMEOUT_MS)),
            # By default a replica waits for others that may want the data too: five seconds in which it has none.
            *("--repl-diskless-sync-delay", "0"),
        ]


class ClusterRedis:
    """All six, in one directory. Calls block. `start` raises as `LocalServer.start` does."""

    def __init__(self, directory: Path) -> None:
        """Prepare; nothing is started before `start`."""
        self.nodes = [ClusterNode(directory / f"node-{number}") for number in range(2 * MASTERS)]

    @property
    def servers(self) -> Sequence[RedisServer]:
        """Each of them."""
        return self.nodes

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"redis+cluster://{','.join(f'127.0.0.1:{node.port}' for node in self.nodes)}"

    def start(self) -> str:
        """Start or adopt all; returns the URL once every slot is served and every replica has its data."""
        new = not (self.nodes[0].data_directory / "nodes.conf").exists()
        for node in self.nodes:
            node.start()
        if new:
            self._join()
        self._await(lambda: all(node.agrees(len(self.nodes)) for node in self.nodes), "its nodes do not agree")
        return self.url

    def stop(self) -> None:
        """End them."""
        for node in self.nodes:
            node.stop()

    def kill(self) -> None:
        """Nothing of their data is wanted any more."""
        for node in self.nodes:
            if node.is_running():
                node.kill()

    def heal(self) -> None:
        """Whatever was done to their processes, they run."""
        for node in self.nodes:
            node.resume()
        self.start()

    def master_of(self, key: str) -> ClusterNode:
        """Who serves the key now. Raises `ServerFailed` where nobody does."""
        slot = int(next(self._answers("CLUSTER", "KEYSLOT", key)))
        for found in self._answers("CLUSTER", "SLOTS"):
            port = next(master[1] for first, last, master, *_ in found if first <= slot <= last)
            return next(node for node in self.nodes if node.port == port)
        raise ServerFailed("no node answers")

    def replica_of(self, master: ClusterNode) -> ClusterNode:
        """A replica of it. Raises `ServerFailed` where it has none that runs."""
        for node in self.nodes:
            with suppress(OSError, Refused):
                if (role := node.execute("ROLE"))[0] == "slave" and role[2] == master.port:
                    return node
        raise ServerFailed(f"the master on port {master.port} has no replica")

    def fail_over(self, key: str) -> None:
        """Let a replica of who serves the key take its place, as an operator does; returns once it has."""
        replica = self.replica_of(self.master_of(key))
        self._await(lambda: bool(replica.execute("CLUSTER", "FAILOVER")), "its replica does not want to")
        self._await(lambda: self.master_of(key) is replica, "no replica has taken over")

    def _answers(self, *command: str) -> Iterator[Any]:
        """What the nodes that answer say."""
        for node in self.nodes:
            with suppress(OSError, Refused):
                yield node.execute(*command)

    def _join(self) -> None:
        masters, replicas = self.nodes[:MASTERS], self.nodes[MASTERS:]
        for number, master in enumerate(masters):
            first, beyond = _SLOTS * number // MASTERS, _SLOTS * (number + 1) // MASTERS
            master.execute("CLUSTER", "ADDSLOTSRANGE", first, beyond - 1)
        for node in self.nodes[1:]:
            node.execute("CLUSTER", "MEET", "127.0.0.1", masters[0].port)
        for replica, master in zip(replicas, masters, strict=True):
            self._await(partial(_replicates, replica, master), "a replica does not know its master")

    def _await(self, condition: Callable[[], bool], otherwise: str) -> None:
        if not wait_until(condition, _AGREE_WITHIN_S):
            raise ServerFailed(f"Redis Cluster is not ready after {_AGREE_WITHIN_S:.0f} s: {otherwise}")


def _replicates(replica: ClusterNode, master: ClusterNode) -> bool:
    """Whether it does; it can't before it has heard of its master."""
    with suppress(Refused):
        replica.execute("CLUSTER", "REPLICATE", master.id)
        return True
    return False
