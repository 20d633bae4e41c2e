"""What the orchestrator's MongoDB user may do in its database, by collection: as little as it does."""

from collections.abc import Mapping, Sequence

from adapters.mongo import IndexModel
from adapters.mongo_setup import Rights
from orchestrator import audit, dead_letters, retention, store
from orchestrator.places import PLACES
from orchestrator.settings import Settings


def rights(settings: Settings) -> Rights:
    """Nothing may be removed but what its operators delete, and what has ended where `SAGA_RETENTION_DAYS` is set."""
    kept = settings.retention_days is None
    found: Rights = {
        store.COLLECTION: ("find", "insert", "update", "changeStream", "listIndexes", *(() if kept else ("remove",))),
        dead_letters.COLLECTION: ("find", "insert", "update", "remove", "listIndexes"),
        audit.COLLECTION: ("insert", "listIndexes"),
        PLACES: ("find", "insert", "update"),
    }
    return found if kept or not settings.archive else {**found, retention.ARCHIVE: ("insert", "update")}


def indexes(settings: Settings) -> Mapping[str, Sequence[IndexModel]]:
    """The indexes, by collection, in the order in which they are made."""
    return {
        store.COLLECTION: store.INDEXES,
        dead_letters.COLLECTION: dead_letters.indexes(settings.dead_letter_expiry_days),
        audit.COLLECTION: audit.indexes(settings.audit_expiry_days),
    }
