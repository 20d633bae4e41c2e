"""The participants as they are served: processes of their own, real servers, settings from the environment."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from adapters.bus import Ack, Delivery, Entry, Subscription, Verdict
from adapters.clock import SystemClock
from adapters.mongo import Mongo
from adapters.streams.envelope import decode_reply, encode_command
from adapters.streams.names import Streams
from adapters.streams.redis_bus import RedisBus
from participants.app import SHIPPED, build, main
from participants.seed import Product, Seeder
from participants.settings import ParticipantSettings
from sagas.messages import CommandMessage, ReplyMessage
from support import eventually
from support.participants import message, outcome

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(mongo_url: str, redis_url: str) -> Mapping[str, str]:
    name = f"t{uuid4().hex[:8]}"
    return {
        "SAGA_MONGO_URL": mongo_url,
        "SAGA_REDIS_URL": redis_url,
        "SAGA_DATABASE_PREFIX": f"{name}_",
        "SAGA_STREAM_PREFIX": f"{name}.",
    }


@pytest.fixture
async def mongo(mongo_url: str, environment: Mapping[str, str]) -> AsyncIterator[Mongo]:
    mongo = Mongo.connect(mongo_url)
    prefix = environment["SAGA_DATABASE_PREFIX"]
    await Seeder(mongo, SystemClock(), Random(0), prefix=prefix).product(Product("boots", 5, 1999))
    yield mongo
    await mongo.database("admin").client.drop_database(f"{prefix}inventory")
    await mongo.close()


class Caller:
    """Sends commands and collects replies, as an orchestrator does."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.replies: list[ReplyMessage] = []
        prefix = environment["SAGA_STREAM_PREFIX"]
        self._bus = RedisBus(environment["SAGA_REDIS_URL"], clock=SystemClock(), rng=Random(), streams=Streams(prefix))
        self.reply_to = self._bus.streams.replies

    async def __aenter__(self) -> "Caller":
        self._bus.subscribe(Subscription(self.reply_to, "orchestrator", self._collect))
        await self._bus.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._bus.stop()

    async def send(self, *commands: CommandMessage) -> None:
        entries = [
            Entry(self._bus.streams.commands(command.participant), encode_command(command)) for command in commands
        ]
        assert set(await self._bus.publish(entries)) == {None}

    async def _collect(self, deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        self.replies += [decode_reply(delivery.fields) for delivery in deliveries]
        return [Ack() for _ in deliveries]


async def serving(*names: str, environment: Mapping[str, str]) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "participants.app",
        *names,
        cwd=ROOT,
        env=dict(os.environ) | dict(environment),
        stderr=PIPE,
    )


def reserving(caller: Caller, saga_id: str, quantity: int = 1) -> CommandMessage:
    data = {"items": [{"product_id": "boots", "quantity": quantity}]}
    return sent(caller, f"{saga_id}/reserve-stock/action", "inventory.reserve-stock", data)


def sent(
    caller: Caller, command_id: str, command_type: str, data: Mapping[str, Any], undoes: str | None = None
) -> CommandMessage:
    now = SystemClock().now()  # The service's clock is the machine's, and what is too old for it has expired.
    return message(command_id, command_type, data, undoes=undoes, first_time=now, reply_to=caller.reply_to)


async def test_a_killed_service_is_replaced_and_nothing_is_done_twice(
    environment: Mapping[str, str], mongo: Mongo
) -> None:
    async with Caller(environment) as caller:
        first = await serving("inventory", environment=environment)
        try:
            await caller.send(reserving(caller, "s1"), reserving(caller, "s2", quantity=9))
            await eventually(lambda: len(caller.replies) == 2)
        finally:
            first.kill()
            await first.wait()
        await caller.send(reserving(caller, "s1"), reserving(caller, "s3"))
        second = await serving("inventory", environment=environment)
        try:
            await eventually(lambda: len(caller.replies) == 4)
        finally:
            second.terminate()
        assert await second.wait() == 0
    answers = {reply.command_id.split("/")[0]: outcome(reply) for reply in caller.replies}
    assert answers == {"s1": "succeeded", "s2": "rejected out-of-stock", "s3": "succeeded"}
    stock = await mongo.database(f"{environment['SAGA_DATABASE_PREFIX']}inventory")["products"].find_one({})
    assert stock["available"] == 3


async def test_all_services_can_share_one_process(environment: Mapping[str, str], mongo: Mongo) -> None:
    settings = ParticipantSettings(
        mongo_url=environment["SAGA_MONGO_URL"],
        redis_url=environment["SAGA_REDIS_URL"],
        database_prefix=environment["SAGA_DATABASE_PREFIX"],
        stream_prefix=environment["SAGA_STREAM_PREFIX"],
    )
    running = build(*SHIPPED.values(), settings=settings)
    await running.start()
    async with Caller(environment) as caller:
        await caller.send(
            reserving(caller, "s1"),
            sent(caller, "s1/pay/revoke", "payment.revoke", {}, undoes="s1/pay/action"),
            sent(caller, "s1/confirm/action", "orders.nonsense", {}),
        )
        await eventually(lambda: len(caller.replies) == 3)
        assert await running.problems() == []
    await running.stop()
    assert {outcome(reply) for reply in caller.replies} == {"succeeded", "failed unknown-command"}
    for name in ("payment", "orders"):
        await mongo.database("admin").client.drop_database(f"{settings.database_prefix}{name}")


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGA_INBOX_EXPIRY_DAYS", "7")
    monkeypatch.setenv("SAGA_DATABASE_PREFIX", "shop_")
    settings = ParticipantSettings()
    assert (settings.inbox_expiry.days, settings.database_prefix) == (7, "shop_")


def test_settings_are_checked_and_show_no_passwords() -> None:
    assert "secret" not in repr(ParticipantSettings(mongo_url="mongodb://u:secret@db/", redis_url="redis://:secret@r/"))
    with pytest.raises(ValidationError, match="inbox_expiry_days"):
        ParticipantSettings(inbox_expiry_days=1)


def test_an_unknown_service_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shipping"]) == 2
    assert "inventory | payment | orders" in capsys.readouterr().err
