"""The lists of sagas and dead letters: filters, and a cursor that is opaque to clients. Pure.

Filters are typed values under fixed names; nothing that a client sends becomes part of a query's structure.
"""

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, field_validator

from orchestrator.api.body import SagaName
from orchestrator.api.problems import Fault, invalid
from orchestrator.core.state import Status
from orchestrator.listed import Place, Query

MAX_PAGE = 200

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)  #: (RFC 3339, section 5.6)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LATEST = 253_402_300_799_999  #: the last millisecond that a date can have


class PageQuery(BaseModel):
    """Which page of a list, newest first."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=MAX_PAGE, description="How many at most.")
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        None, description="`next` of the page before."
    )

    @property
    def after(self) -> Place | None:
        """Time and id of the last item of the page before; raises `Problem`."""
        return None if self.cursor is None else read_cursor(self.cursor)


class ListQuery(PageQuery):
    """Which sagas to list."""

    saga: SagaName | None = Field(None, description="Sagas of this name.")
    status: Status | None = Field(None, description="Sagas in this status.")
    since: AwareDatetime | None = Field(None, description="Created at or after this time (RFC 3339).")
    q: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = Field(
        None, description="What the id begins with."
    )

    @field_validator("since", mode="before")
    @classmethod
    def _is_time(cls, since: Any) -> Any:
        # Pydantic would take a number too, as seconds or milliseconds since 1970.
        if isinstance(since, str) and not _RFC3339.fullmatch(since):
            raise ValueError("must be an RFC 3339 time, such as 2026-01-31T12:00:00Z")
        return since

    @field_validator("since")
    @classmethod
    def _in_utc(cls, since: datetime | None) -> datetime | None:
        try:
            return None if since is None else since.astimezone(UTC)
        except OverflowError:
            raise ValueError("is no time that can be told in UTC") from None

    def to_query(self) -> Query:
        """The store's query."""
        return Query(
            saga=self.saga, status=self.status, since=self.since, prefix=self.q, after=self.after, limit=self.limit
        )


def cursor_behind(at: datetime, item_id: str) -> str:
    """The cursor of the page behind the item with this time and id."""
    milliseconds = (at - _EPOCH) // _MILLISECOND
    return base64.urlsafe_b64encode(f"{milliseconds}.{item_id}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> Place:
    """What `cursor_behind` wrote; raises `Problem` for anything else."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
        milliseconds, dot, item_id = text.partition(".")
        is_number = milliseconds.isdecimal() and len(milliseconds) < 16
        if not (dot and item_id and is_number and int(milliseconds) <= _LATEST):
            raise ValueError
    except (ValueError, binascii.Error):
        raise invalid("query", [Fault("/cursor", "is not the `next` of a page")]) from None
    return _EPOCH + int(milliseconds) * _MILLISECOND, item_id
