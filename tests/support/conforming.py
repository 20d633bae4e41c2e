"""A participant as others might write it, without anything of ours: a till, in memory, on a real Redis.

Correct as it is; each defect is one mistake that people make. It handles what it reads concurrently, as several
processes would: two that meet at one key must start over, unless the defect is that they don't.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

TAKE, PUT_BACK, REVOKE = "till.take", "till.put-back", "till.revoke"
GONE_AFTER = timedelta(days=89)

Row = Mapping[str, Any]
Answer = tuple[str, Mapping[str, Any]]
Command = Mapping[str, str]


class Defect(StrEnum):
    """One mistake."""

    NO_INBOX = "no inbox"
    INBOX_APART = "the effect and the inbox row in two transactions"
    NO_TOMBSTONE = "no tombstone"
    TOMBSTONE_ELSEWHERE = "the tombstone under a key of its own"
    UNDOES_NOTHING = "the compensation's handler runs though nothing was done"
    UNDOES_TWICE = "a compensation's answer is not stored"
    REJECTS_UNDOING = "a compensation without an action is rejected"
    REVOKE_LIES = "a revoke always succeeds"
    REVOKE_FORGETS = "a revoke that came too late answers without the reply"
    NEW_REPLY = "a repeat gets a new reply"
    ATTEMPT_IN_KEY = "the attempt is part of the key"
    REJECTION_FORGOTTEN = "a rejected command is rejected otherwise the next time"
    NEVER_EXPIRES = "firsttime is not looked at, though rows expire"
    NO_MARGIN = "rows count as there until the moment they expire"
    UNKNOWN_SUCCEEDS = "what is unknown succeeds"
    NEEDS_ATTEMPT = "a command without attempt is not handled"
    NEEDS_REPLYTO = "a command without replyto is not handled"
    ACKS_FIRST = "the acknowledgement before the reply"
    NEVER_ACKS = "no acknowledgement"
    BLOCKS_ON_POISON = "what can't be read is tried for ever"
    DIES_OF_POISON = "what can't be read ends the process"
    GROUP_NOT_MADE_AGAIN = "a lost group ends the process"
    GROUP_AT_END = "a lost group is made again at $"
    FAILED_WITHOUT_ATTEMPT = "`failed` without the attempt"
    REPLIES_ELSEWHERE = "replies always go to one stream, whatever replyto says"
    SILENT = "nothing is answered, and nothing acknowledged"
    READS_NOTHING = "the group is made, and nobody reads"
    COPIES_NOTHING = "attempt and traceparent are not copied"


class Collision(Exception):
    """Somebody else has written one of the keys meanwhile."""


class Deadly(Exception):
    """The process ends."""


@dataclass
class Till:
    """One process; `async with` runs it."""

    redis: Redis
    stream: str
    defect: Defect | None = None
    inbox: dict[str, Answer] = field(default_factory=dict)
    undone: set[str] = field(default_factory=set)
    ledger: list[Row] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None
    count: int = 0
    ending: bool = False

    async def __aenter__(self) -> "Till":
        await self._make_group("0")
        self.task = asyncio.create_task(self._live())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.task is not None
        self.ending = True  # Not cancelled: redis-py may swallow that in the middle of a read.
        await asyncio.gather(self.task, return_exceptions=True)

    async def rows(self, saga_ids: Sequence[str]) -> Sequence[Row]:
        """The ledger, as the kit looks at it."""
        return [row for row in self.ledger if row["saga_id"] in saga_ids]

    def is_(self, defect: Defect) -> bool:
        """Whether it has this one."""
        return self.defect is defect

    async def _make_group(self, place: str) -> None:
        try:
            await self.redis.xgroup_create(self.stream, "till", place, mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def _live(self) -> None:
        while not self.ending:
            for place in ("0", ">"):
                try:
                    await self._round(place)
                except ResponseError as error:
                    if not str(error).startswith("NOGROUP") or self.is_(Defect.GROUP_NOT_MADE_AGAIN):
                        raise
                    await self._make_group("$" if self.is_(Defect.GROUP_AT_END) else "0")

    async def _round(self, place: str) -> None:
        if self.is_(Defect.READS_NOTHING):
            await asyncio.sleep(0.02)
            return
        answer: Any = await self.redis.xreadgroup("till", "one", {self.stream: place}, count=100, block=20)
        pages = answer.values() if isinstance(answer, dict) else [entries for _, entries in answer or ()]
        entries = [one for page in pages for one in (page[0] if page and isinstance(page[0], list) else page)]
        if self.is_(Defect.NEVER_ACKS) and place == "0":
            return
        if self.is_(Defect.BLOCKS_ON_POISON):
            for entry_id, fields in entries:
                if not await self._handle(entry_id, fields):
                    return  # And so again, from this one on.
            return
        await asyncio.gather(*(self._handle(entry_id, fields) for entry_id, fields in entries))

    async def _handle(self, entry_id: bytes, raw: Mapping[bytes, bytes]) -> bool:
        """Answer and acknowledge; False where it must come again."""
        command = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in raw.items()}
        outcome, data = await self._answer(command)
        if self.is_(Defect.SILENT):
            return False
        if data.get("code") == "unreadable" and self.is_(Defect.BLOCKS_ON_POISON):
            return False
        if self.is_(Defect.ACKS_FIRST):
            await self.redis.xack(self.stream, "till", entry_id)
        try:
            if command.get("id") and command.get("replyto"):
                elsewhere = f"{self.stream}.replies" if self.is_(Defect.REPLIES_ELSEWHERE) else command["replyto"]
                await self.redis.xadd(elsewhere, self._reply(command, outcome, data))
        except RedisError:
            return True
        if not self.is_(Defect.NEVER_ACKS):
            await self.redis.xack(self.stream, "till", entry_id)
        return True

    def _reply(self, command: Command, outcome: str, data: Mapping[str, Any]) -> Any:
        reply = {"causationid": command["id"], "outcome": outcome, "data": json.dumps(data)}
        if not self.is_(Defect.COPIES_NOTHING):
            reply["attempt"] = command.get("attempt", "1")
            reply["traceparent"] = command.get("traceparent", "")
        if outcome == "failed" and self.is_(Defect.FAILED_WITHOUT_ATTEMPT):
            del reply["attempt"]
        return reply

    async def _answer(self, command: Command) -> Answer:
        try:
            needed = [
                *(["attempt"] if self.is_(Defect.NEEDS_ATTEMPT) else []),
                *(["replyto"] if self.is_(Defect.NEEDS_REPLYTO) else []),
            ]
            data = json.loads(command["data"])
            if not isinstance(data, dict) or not command["id"] or not all(name in command for name in needed):
                raise ValueError("it lacks something")
            command["type"]
        except (ValueError, KeyError, RecursionError):
            if self.is_(Defect.DIES_OF_POISON):
                raise Deadly from None
            return "failed", {"code": "unreadable"}
        while True:
            try:
                return await self._transaction(command, data)
            except Collision:
                await asyncio.sleep(0)

    async def _transaction(self, command: Command, data: Mapping[str, Any]) -> Answer:
        key = f"{command['id']}#{command.get('attempt')}" if self.is_(Defect.ATTEMPT_IN_KEY) else command["id"]
        meeting = key if self.is_(Defect.TOMBSTONE_ELSEWHERE) else command.get("undoes", key)
        before = {each: self.inbox.get(each) for each in (key, meeting)}
        known = None if self.is_(Defect.NO_INBOX) else before[key]
        if known is not None:
            self.count += self.is_(Defect.NEW_REPLY)
            return (known[0], {**known[1], "number": self.count}) if self.is_(Defect.NEW_REPLY) else known
        decided = self._undo(command, key) if "undoes" in command else self._do(command, key, data)
        answer, rows, effects = decided
        await asyncio.sleep(0)  # Whoever else is at it gets the chance to write first.
        apart = self.defect in (Defect.NO_INBOX, Defect.INBOX_APART)
        if not apart and any(self.inbox.get(each) is not was for each, was in before.items()):
            raise Collision
        self.ledger += effects
        if self.is_(Defect.INBOX_APART):
            await asyncio.sleep(0)
        self.inbox.update(rows)
        if effects and "undoes" in command:
            self.undone.add(command["undoes"])
        return answer

    def _do(self, command: Command, key: str, data: Mapping[str, Any]) -> tuple[Answer, dict[str, Answer], list[Row]]:
        if self.is_(Defect.TOMBSTONE_ELSEWHERE) and f"{key}/tombstone" in self.inbox:
            return ("rejected", {"code": "compensated"}), {}, []
        if self._too_old(command, "firsttime"):
            return ("failed", {"code": "expired"}), {}, []
        if command["type"] != TAKE and not self.is_(Defect.UNKNOWN_SUCCEEDS):
            return ("failed", {"code": "unknown"}), {}, []
        if type(data.get("amount")) is not int:
            return ("failed", {"code": "invalid"}), {}, []
        if data["amount"] > 1_000:
            self.count += 1
            no: Answer = ("rejected", {"code": "too-much"})
            if self.is_(Defect.REJECTION_FORGOTTEN):
                return ("rejected", {"code": f"too-much-{self.count}"}), {}, []
            return no, {key: no}, []
        done: Answer = ("succeeded", {"taken": data["amount"]})
        return done, {key: done}, [self._row(command, "action", -data["amount"])]

    def _undo(self, command: Command, key: str) -> tuple[Answer, dict[str, Answer], list[Row]]:
        target = command["undoes"]
        action = self.inbox.get(f"{target}#1" if self.is_(Defect.ATTEMPT_IN_KEY) else target)
        if action is None and self._too_old(command, "undoestime"):
            return ("failed", {"code": "expired"}), {}, []
        took = action is not None and action[0] == "succeeded" and target not in self.undone
        answer: Answer = ("succeeded", {})
        effects: list[Row] = []
        if command["type"] == REVOKE:
            if took and action is not None and not self.is_(Defect.REVOKE_LIES):
                answer = ("rejected", {} if self.is_(Defect.REVOKE_FORGETS) else action[1])
        elif took and action is not None:
            effects = [self._row(command, "compensation", action[1]["taken"])]
        elif self.is_(Defect.UNDOES_NOTHING):
            effects = [self._row(command, "compensation", 1)]
        elif action is None and self.is_(Defect.REJECTS_UNDOING):
            answer = ("rejected", {"code": "nothing-to-undo"})
        rows = {} if self.is_(Defect.UNDOES_TWICE) else {key: answer}
        if self.is_(Defect.UNDOES_TWICE):
            self.undone.discard(target)
        return answer, {**rows, **dict(self._tombstone(target, action))}, effects

    def _tombstone(self, target: str, action: Answer | None) -> Iterator[tuple[str, Answer]]:
        if action is None and self.defect not in (Defect.NO_TOMBSTONE, Defect.NO_INBOX):
            stone = ("rejected", {"code": "compensated"})
            yield (f"{target}/tombstone" if self.is_(Defect.TOMBSTONE_ELSEWHERE) else target), stone

    def _too_old(self, command: Command, name: str) -> bool:
        try:
            first = datetime.fromisoformat(command.get(name) or command.get("firsttime", ""))
        except ValueError:
            return False
        limit = GONE_AFTER + timedelta(days=1) if self.is_(Defect.NO_MARGIN) else GONE_AFTER
        return datetime.now(UTC) - first > limit and not self.is_(Defect.NEVER_EXPIRES)

    def _row(self, command: Command, kind: str, amount: int) -> Row:
        saga_id = command["id"].split("/")[0]
        return {"saga_id": saga_id, "step": "take", "kind": kind, "key": "till", "amount": amount}
