"""Many commands in one round trip to each server of a cluster.

redis-py's pipeline for clusters asks what each command's keys are, and has a thread for each command of a transaction.
Here the commands for one server go as they go to a single one (`pipeline.py`); where each belongs, which connections
there are, and what a redirection means is redis-py's: `get_node_from_key`, `acquire_connection`, `move_slot`.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.cluster import PRIMARY
from redis.exceptions import AskError, MovedError
from redis.exceptions import ConnectionError as RedisConnectionError

from adapters.streams.connection import LOST, Client
from adapters.streams.pipeline import BEGIN, END, Argument, Command, Pipeline, ServerPipeline, ask, pack

_ROUNDS = 4  #: so often a command is sent: to where it belonged, where it belongs, and where it is on its way to
_ASKING = b"*1\r\n$6\r\nASKING\r\n"


@dataclass(slots=True)
class _Block:
    """Commands of one slot, by their positions; several are one transaction."""

    positions: list[int]
    asking: Any = None  #: the server to which the slot is moving, where the key has gone there already

    @property
    def atomic(self) -> bool:
        return len(self.positions) > 1

    @property
    def answers(self) -> int:
        return len(self.positions) + (2 if self.atomic else 0) + (1 if self.asking else 0)

    def packed(self, commands: Sequence[Command]) -> bytes:
        inner = b"".join(pack(commands[position]) for position in self.positions)
        if self.asking:
            return _ASKING + inner
        return BEGIN + inner + END if self.atomic else inner


class ClusterPipeline:
    """See `pipeline.Pipeline`. A server that is away is the answer to its own commands only."""

    def __init__(self, client: Client, timeout_s: float) -> None:
        self._client: Any = client
        self._timeout_s = timeout_s

    async def execute(self, commands: Sequence[Command]) -> list[object]:
        """See `pipeline.Pipeline`."""
        return await self._send(commands, [_Block([position]) for position in range(len(commands))])

    async def at_once(self, commands: Sequence[Command]) -> list[object]:
        """See `pipeline.Pipeline`: those of one slot are seen together, for a transaction has no more than one."""
        await self._client.initialize()
        slots: dict[int, list[int]] = {}
        for position, key in enumerate(_keys(commands)):
            slots.setdefault(self._client.keyslot(key), []).append(position)
        return await self._send(commands, map(_Block, slots.values()))

    async def _send(self, commands: Sequence[Command], blocks: Iterable[_Block]) -> list[object]:
        answers: list[object] = [None] * len(commands)
        keys = _keys(commands)
        for _ in range(_ROUNDS):
            await self._client.initialize()
            nodes: dict[Any, list[_Block]] = {}
            for block in blocks:
                node = block.asking or self._client.get_node_from_key(keys[block.positions[0]])
                nodes.setdefault(node, []).append(block)
            again = await asyncio.gather(
                *(self._exchange(node, commands, theirs, answers) for node, theirs in nodes.items())
            )
            blocks = [block for some in again for block in some]
            if not blocks:
                break
        return answers

    async def _exchange(
        self, node: Any, commands: Sequence[Command], blocks: Sequence[_Block], answers: list[object]
    ) -> list[_Block]:
        """Send the blocks to one server and note its answers; those that have to be sent again."""
        packed, count = b"".join(block.packed(commands) for block in blocks), sum(block.answers for block in blocks)
        try:
            connection = node.acquire_connection()
            try:
                found = iter(await ask(connection, packed, count, self._timeout_s))
            finally:
                node.release(connection)
        except LOST as error:
            return await self._lost(node, blocks, answers, error)
        return [again for block in blocks for again in await self._noted(block, found, answers)]

    async def _lost(
        self, node: Any, blocks: Sequence[_Block], answers: list[object], error: BaseException
    ) -> list[_Block]:
        """The connection broke off: it was stale, or another server has the slots by now. A timeout is not retried."""
        retried = isinstance(error, RedisConnectionError) and all(
            answers[position] is None for block in blocks for position in block.positions
        )
        for block in blocks:
            for position in block.positions:
                answers[position] = error
        node.update_active_connections_for_reconnect()
        await node.disconnect_free_connections()
        with suppress(*LOST):
            await self._client.nodes_manager.initialize(last_failed_node_name=node.name)
        return [_Block(block.positions) for block in blocks] if retried else []

    async def _noted(self, block: _Block, found: Iterator[object], answers: list[object]) -> list[_Block]:
        """Note what a block was answered; what of it has to be sent again."""
        theirs = [next(found) for _ in range(block.answers)]
        if block.atomic:
            if isinstance(theirs[-1], list):
                for position, answer in zip(block.positions, theirs[-1], strict=True):
                    answers[position] = answer
                return []
            # Nothing of it has happened. Who is refused is refused alone; the first redirection is that of all.
            await self._redirection(next((answer for answer in theirs if isinstance(answer, AskError)), None))
            return [_Block([position]) for position in block.positions]
        (position,) = block.positions
        answers[position] = theirs[-1]
        again, asking = await self._redirection(theirs[-1])
        return [_Block([position], asking)] if again else []

    async def _redirection(self, answer: object) -> tuple[bool, Any]:
        """Whether the answer names another server, and that server, where it is to be asked this once only."""
        if isinstance(answer, MovedError):
            await self._client.nodes_manager.move_slot(answer)
            return True, None
        return (True, self._node(answer)) if isinstance(answer, AskError) else (False, None)

    def _node(self, answer: AskError) -> Any:
        """The server that is named: also one that has just joined, whose first slot is on its way."""
        manager = self._client.nodes_manager
        node = manager.get_node(answer.host, answer.port)
        if node is None:  # As `move_slot` does it.
            node = ClusterNode(answer.host, answer.port, PRIMARY, **manager.connection_kwargs)
            manager.set_nodes(manager.nodes_cache, {node.name: node})
        return node


def pipeline_to(client: Client, timeout_s: float) -> Pipeline:
    """The one that fits the client."""
    anything: object = client  # One of a cluster only looks like one of a server.
    return (ClusterPipeline if isinstance(anything, RedisCluster) else ServerPipeline)(client, timeout_s)


def _keys(commands: Sequence[Command]) -> list[Argument]:
    """The key by which each goes to its server. TIME, which has none, goes where the one before it goes."""
    keys: list[Argument] = []
    for command in commands:
        keys.append(keys[-1] if command[0] == "TIME" else _key(command))
    return keys


def _key(command: Command) -> Argument:
    """The key that decides where a command belongs: each has one, or several of one slot."""
    match command[0]:
        case "XREADGROUP":
            return command[-2]
        case "EVAL":
            return command[3]
        case "XGROUP" | "XINFO":
            return command[2]
        case _:
            return command[1]
