"""The audit log on MongoDB: a record is there once, and goes when its time is over."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from adapters.mongo import Mongo, find
from orchestrator.audit import MongoAuditLog, Record, Result

AT = datetime(2100, 1, 1, 12, tzinfo=UTC)  # MongoDB removes what has expired by its own clock.


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_a_record_is_kept_as_it_was_said(mongo_url: str, driver: str) -> None:
    mongo = Mongo.connect(mongo_url, driver="motor" if driver == "motor" else "pymongo")
    database = f"t{uuid4().hex[:8]}_orchestrator"
    audit = MongoAuditLog(mongo, database, expiry_days=10)
    await audit.prepare()
    record = Record(
        id="1", at=AT, who="ops", action="cancel", outcome=Result.REFUSED, refusal="pivot-passed", saga_id="a"
    )
    await audit.add(record)
    await audit.add(record)  # As after an answer that was lost.
    records = mongo.database(database).audit
    (found,) = await find(records, {}, limit=3)
    assert found == {
        "_id": "1",
        "at": AT,
        "who": "ops",
        "action": "cancel",
        "outcome": "refused",
        "refusal": "pivot-passed",
        "saga_id": "a",
    }
    assert (await records.index_information())["expiry"]["expireAfterSeconds"] == 10 * 86_400
    await mongo.close()
