"""Single entries on their way to Redis: lost or late, and everything else as it was."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random

import hiredis
import pytest

from chaos.faults import Fault, Subject
from chaos.real.catalogue import BY_NAME
from chaos.real.entries import Entries

LOSE, DELAY = BY_NAME["lose command"], BY_NAME["delay reply"]
COMMANDS, REPLIES = "saga.commands.inventory", "saga.replies"


def command(saga_id: str, stream: str = COMMANDS, step: str = "reserve-stock") -> list[str]:
    named = "causationid" if stream == REPLIES else "id"
    return ["XADD", stream, "MAXLEN", "~", "9", "*", named, f"{saga_id}/{step}/action", "data", '{"x": "*\r\n"}']


def packed(*commands: list[str]) -> bytes:
    return b"".join(hiredis.pack_command(tuple(each)) for each in commands)  # type: ignore[arg-type]  # as in entries.py


@dataclass
class Bus:
    """What Redis hears, on the wire and behind it."""

    faults: list[Fault]
    seed: int = 0
    arrived: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.entries = Entries(self.faults, self._add, self._told, Random(self.seed))
        for index in range(len(self.faults)):
            self.entries.arm(index)

    def _add(self, stream: str, fields: Mapping[str, str]) -> None:
        self.arrived.append((stream, fields))

    def _told(self, fault: Fault, subject: Subject) -> None:
        self.told.append(f"{fault.name}: {subject.name}")

    def hears(self, *commands: list[str]) -> list[str]:
        """The keys to which these are added, in the end."""
        heard = hiredis.Reader(encoding="utf-8")
        heard.feed(self.entries.requests()(packed(*commands)))
        return [heard.gets()[1] for _ in commands]


def test_a_lost_entry_goes_where_nobody_reads_and_the_next_one_passes() -> None:
    bus = Bus([LOSE])

    assert bus.hears(command("a"), command("b")) == [f"chaos:{COMMANDS}", COMMANDS]
    assert bus.told == ["lose command: a/reserve-stock/action"]
    assert bus.arrived == []


async def test_a_late_entry_arrives_as_it_was_once_all_is_healed_if_its_time_has_not_come() -> None:
    bus = Bus([replace(DELAY, for_s=3_600, times=2)])

    assert bus.hears(command("a", REPLIES)) == [f"chaos:{REPLIES}"]
    await bus.entries.heal()

    assert bus.arrived == [(REPLIES, {"causationid": "a/reserve-stock/action", "data": '{"x": "*\r\n"}'})]
    assert bus.hears(command("c", REPLIES)) == [REPLIES]


async def test_a_late_entry_arrives_when_its_time_has_come() -> None:
    bus = Bus([replace(DELAY, for_s=0)])
    bus.hears(command("a", REPLIES))

    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

    assert [stream for stream, _ in bus.arrived] == [REPLIES]


async def test_redis_may_be_away_when_it_arrives() -> None:
    def refused(_stream: str, _fields: Mapping[str, str]) -> None:
        raise ConnectionRefusedError

    entries = Entries([DELAY], refused, lambda *_: None, Random(0))
    entries.arm(0)
    entries.requests()(packed(command("a", REPLIES)))

    await entries.heal()


@pytest.mark.parametrize(
    ("fault", "lost"),
    [
        (LOSE, [0]),
        (replace(LOSE, times=2), [0, 1]),
        (replace(LOSE, skip=2), [2]),
        (LOSE.aimed("charge-payment", "action"), [3]),
        (LOSE.aimed("reserve-stock", "compensation"), []),
        (BY_NAME["lose reply"], [4]),
    ],
)
def test_it_strikes_what_it_is_aimed_at_as_often_as_it_says(fault: Fault, lost: list[int]) -> None:
    sent = [command("a"), command("b"), command("c"), command("d", step="charge-payment"), command("a", REPLIES)]

    heard = Bus([fault]).hears(*sent)

    assert [n for n, key in enumerate(heard) if key.startswith("chaos:")] == lost


def test_it_may_be_left_to_chance_which_the_seed_draws() -> None:
    rare = replace(LOSE, probability=0.5, times=100)
    first, again, other = (Bus([rare], seed).hears(*[command("a")] * 40) for seed in (1, 1, 2))

    assert first == again != other


def test_until_it_is_armed_everything_passes() -> None:
    bus = Bus([])
    sent = packed(["PING"], command("a"), ["XREADGROUP", "GROUP", "a", "b", "STREAMS", COMMANDS, ">"])

    assert bus.entries.requests()(sent) == sent


def test_requests_pass_whole_in_whatever_pieces_they_come() -> None:
    sent = packed(command("a"), ["PING"], command("b"))
    passing = Bus([]).entries.requests()

    assert b"".join(passing(sent[n : n + 7]) for n in range(0, len(sent), 7)) == sent


def test_of_other_streams_nothing_is_lost() -> None:
    others = [command("a", stream) for stream in ("saga.events", f"{COMMANDS}.dead", "orders")]

    assert Bus([replace(LOSE, times=9)]).hears(*others) == [each[1] for each in others]
