"""Participants on a real MongoDB: several instances of one, each with connections of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any
from uuid import uuid4

from adapters.clock import SystemClock
from adapters.mongo import Driver, Mongo
from participants.inbox import Inbox, MongoInbox
from participants.participant import Participant, Service
from participants.seed import Seeder
from support.participants import NOW, StillClock


class Fleet:
    """Instances of participants over one database prefix; times in rows and ledgers stand still at `NOW`."""

    def __init__(self, url: str, driver: Driver) -> None:
        self.prefix = f"t{uuid4().hex[:8]}_"
        self.mongo = Mongo.connect(url, driver=driver)
        self._url = url
        self._driver: Driver = driver
        self._opened = [self.mongo]
        self._used: set[str] = set()

    def instance(self, participant: Participant, *, around: Callable[[Inbox], Inbox] = lambda inbox: inbox) -> Service:
        """One more instance, as one more process would be; `around` may wrap its inbox."""
        mongo = Mongo.connect(self._url, driver=self._driver)
        self._opened.append(mongo)
        name = f"{self.prefix}{participant.name}"
        self._used.add(name)
        clock = _PausingClock(NOW)
        inbox = MongoInbox(mongo, name, clock, Random(len(self._opened)), indexes=participant.indexes)
        return Service(participant, around(inbox), clock)

    def seeder(self) -> Seeder:
        """Writes products and customers of this fleet."""
        self._used |= {f"{self.prefix}inventory", f"{self.prefix}payment"}
        return Seeder(self.mongo, SystemClock(), Random(0), prefix=self.prefix)

    def database(self, participant: str) -> Any:
        """The participant's database."""
        return self.mongo.database(f"{self.prefix}{participant}")

    async def sums(self, participant: str) -> dict[str, int]:
        """The sum of the ledger's amounts for each key."""
        sums: dict[str, int] = {}
        async for row in self.database(participant)["ledger"].find():
            sums[row["key"]] = sums.get(row["key"], 0) + row["amount"]
        return sums

    async def balances(self, participant: str, collection: str, field: str) -> dict[str, int]:
        """The balances for each key."""
        return {each["_id"]: each[field] async for each in self.database(participant)[collection].find()}

    async def close(self) -> None:
        """Drop the databases, close the connections."""
        for name in self._used:
            await self.mongo.database(name).client.drop_database(name)
        for mongo in self._opened:
            await mongo.close()


class _PausingClock(StillClock):
    """Stands still, but waits for as long as it is told to: pauses after conflicts are real."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await SystemClock().sleep(seconds)


@asynccontextmanager
async def fleet_on(url: str, driver: Driver = "motor") -> AsyncIterator[Fleet]:
    """A fleet that is gone afterwards."""
    fleet = Fleet(url, driver)
    try:
        yield fleet
    finally:
        await fleet.close()
