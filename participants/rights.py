"""What a participant's MongoDB user may do in its own database, by collection: as little as it does."""

from collections.abc import Mapping, Sequence

from adapters.mongo import IndexModel
from adapters.mongo_setup import EVERY_COLLECTION, Rights
from participants import inbox, retention
from participants.ledger import LEDGER
from participants.participant import Participant
from participants.settings import ParticipantSettings


def rights(participant: Participant, settings: ParticipantSettings) -> Rights:
    """Nothing may be removed, but from a ledger whose old rows are folded (`SAGA_LEDGER_RETENTION_DAYS`).

    One that does not say which collections its handlers use may find, insert and update in all of its database.
    """
    own = participant.collections
    found: dict[str, tuple[str, ...]] = {inbox.COLLECTION: ("find", "insert", "update", "listIndexes")}
    for collection in participant.indexes:
        found[collection] = ("listIndexes",)
    for collection, actions in ({EVERY_COLLECTION: ("find", "insert", "update")} if own is None else own).items():
        found[collection] = (*found.get(collection, ()), *actions)
    if LEDGER in participant.indexes and settings.ledger_retention_days is not None:
        found[LEDGER] = (*found[LEDGER], "find", "update", "remove")
        if settings.archive:
            found[retention.ARCHIVE] = ("insert", "listIndexes")
    return found


def indexes(participant: Participant, settings: ParticipantSettings) -> Mapping[str, Sequence[IndexModel]]:
    """The indexes, by collection, in the order in which they are made."""
    archive = LEDGER in participant.indexes and settings.archive
    more = {retention.ARCHIVE: retention.ARCHIVE_INDEXES} if archive else {}
    return {inbox.COLLECTION: inbox.INDEXES, **participant.indexes, **more}
