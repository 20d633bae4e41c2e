"""How far the streams of others have been settled: kept in MongoDB, so that losing Redis doesn't lose it too."""

from contextlib import suppress

from adapters.clock import Clock
from adapters.errors import Conflict, Unavailable
from adapters.mongo import Mongo, find, translating

PLACES = "places"


class MongoPlaces:
    """The collection `places`, one document for each stream and group. Implements `adapters.bus.Places`."""

    def __init__(self, mongo: Mongo, database: str, group: str, clock: Clock) -> None:
        self._places = mongo.database(database)[PLACES]
        self._group = group
        self._clock = clock

    async def begin(self, stream: str, entry_id: str) -> str:
        first = {"$setOnInsert": self._place(stream, entry_id)}
        with suppress(Conflict), translating():  # Another replica has begun at this very moment.
            await self._places.update_one({"_id": self._id(stream)}, first, upsert=True)
        found = await find(self._places, {"_id": self._id(stream)}, limit=1)
        if not found:
            raise Unavailable("the place where reading a stream began is not there yet")
        return str(found[0]["entry_id"])

    async def advance(self, stream: str, entry_id: str) -> None:
        with translating():
            await self._places.update_one({"_id": self._id(stream)}, {"$set": self._place(stream, entry_id)})

    def _id(self, stream: str) -> str:
        return f"{self._group} {stream}"

    def _place(self, stream: str, entry_id: str) -> dict[str, object]:
        return {"stream": stream, "group": self._group, "entry_id": entry_id, "at": self._clock.now()}
