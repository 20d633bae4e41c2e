"""The participant's ledger in MongoDB, where it keeps one: it proves what replies can only claim."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from adapters.mongo import Mongo, find

MOST_ROWS = 10_000  #: of the sagas of one check

Row = Mapping[str, Any]


class Ledger(Protocol):
    """Where effects can be counted: rows `{saga_id, step, kind, key, amount}`, one for each effect and key."""

    async def rows(self, saga_ids: Sequence[str]) -> Sequence[Row]:
        """The rows of these sagas. Raises `Unavailable`."""
        ...


class MongoLedger:
    """A collection of rows `{saga_id, step, kind, key, amount}`, one for each effect and key."""

    def __init__(self, mongo: Mongo, database: str, collection: str) -> None:
        self._mongo = mongo
        self._collection = mongo.database(database)[collection]

    @classmethod
    def at(cls, place: str, mongo_url: str | None) -> "MongoLedger":
        """From `database.collection` on the MongoDB at `mongo_url`, or `mongodb://…/database.collection?options`.

        Raises `ValueError` with what is wrong.
        """
        scheme, elsewhere, rest = place.rpartition("://")
        hosts, _, tail = rest.rpartition("/")
        path, _, options = tail.partition("?")
        database, dot, collection = path.partition(".")
        url = f"{scheme}://{hosts}/?{options}" if elsewhere else mongo_url
        if not (database and dot and collection and bool(hosts) is bool(elsewhere)):
            raise ValueError("write it like saga_inventory.ledger, or mongodb://host/saga_inventory.ledger")
        if url is None:
            raise ValueError("MongoDB was not found; set SAGA_MONGO_URL, or write mongodb://host/saga_inventory.ledger")
        return cls(Mongo.connect(url, app_name="saga-conformance"), database, collection)

    async def rows(self, saga_ids: Sequence[str]) -> Sequence[Row]:
        return await find(self._collection, {"saga_id": {"$in": list(saga_ids)}}, limit=MOST_ROWS)

    async def close(self) -> None:
        """Close the connections."""
        await self._mongo.close()
