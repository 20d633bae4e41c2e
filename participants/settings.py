"""Settings of the participants: environment variables `SAGA_…`, checked before the first message."""

from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from adapters.mongo import Driver
from adapters.secret_files import with_files
from adapters.streams.address import PARTITIONS, REDIS_URL, Address, streams_at
from adapters.streams.names import MAX_PARTITIONS, Streams


class ParticipantSettings(BaseSettings):
    """What a participant's process can be told."""

    model_config = SettingsConfigDict(env_prefix="SAGA_", extra="ignore", frozen=True, hide_input_in_errors=True)

    #: what a participant doesn't run without; their defaults are for tools that look at other settings only
    NEEDED: ClassVar = ("mongo_url", "redis_url")

    mongo_url: str = Field(
        "mongodb://127.0.0.1:27017/?replicaSet=rs0",
        repr=False,
        exclude=True,
        description="MongoDB replica set; transactions need one.",
    )
    redis_url: str = Field("redis://127.0.0.1:6379/0", repr=False, exclude=True, description=REDIS_URL)
    mongo_url_file: Path | None = Field(None, description="A file with `SAGA_MONGO_URL`, where that is not set itself.")
    redis_url_file: Path | None = Field(None, description="A file with `SAGA_REDIS_URL`, likewise.")
    mongo_driver: Driver = Field(
        "motor", description="`motor`, or `pymongo`, its own asynchronous client, which is a little faster."
    )
    database_prefix: str = Field(
        "saga_",
        pattern=r"^[A-Za-z0-9_-]{0,32}$",
        description="A participant's database is this and its name: `saga_inventory`.",
    )
    stream_prefix: str = Field(
        "saga.",
        pattern=r"^[A-Za-z0-9_.-]{0,32}$",
        description="A participant's stream is this, `commands.` and its name: `saga.commands.inventory`.",
    )
    partitions: int | None = Field(None, ge=1, le=MAX_PARTITIONS, description=PARTITIONS)
    inbox_expiry_days: int = Field(
        90,
        ge=2,
        le=3_650,
        description="How long inbox rows and tombstones are kept. A command first sent longer ago than this, less a "
        'day, is no longer done: whether it was done before can\'t be told. Before you change it, read "Retention" in '
        "`docs/operating.md`: rows that are there keep their time, and what has gone does not come back.",
    )
    ledger_retention_days: int | None = Field(
        None,
        ge=2,
        le=24_000,
        description="How long each row of the ledger is kept; older ones become one row for each key, with their sum. "
        "Unset: for ever. At least `SAGA_INBOX_EXPIRY_DAYS`.",
    )
    archive: bool = Field(False, description="Whether rows that leave the ledger are kept in `ledger_archive`.")
    command_batch: int = Field(
        200, ge=1, le=1_000, description="Commands read at once; no more are handled in one transaction."
    )
    external_at_once: int = Field(
        32, ge=1, le=1_000, description="Calls to the outside (`external=True`) of a participant, made side by side."
    )

    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="Where a participant by itself shows metrics, and `/readyz`; 0 takes any free port.",
    )
    metrics_host: str = Field("127.0.0.1", description="The address for that. Nobody who reaches it has to say who.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least important level.")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`auto`: lines for people on a terminal, JSON elsewhere."
    )

    @field_validator("redis_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        Address.parse(url)
        return url

    @model_validator(mode="before")
    @classmethod
    def _reads_files(cls, given: Any) -> Any:
        return with_files(given, "mongo_url", "redis_url")

    @field_validator("ledger_retention_days")
    @classmethod
    def _outlasts_the_inbox(cls, days: int | None, info: ValidationInfo) -> int | None:
        expiry = info.data.get("inbox_expiry_days")
        if days is not None and expiry is not None and days < expiry:
            raise ValueError(f"must be at least SAGA_INBOX_EXPIRY_DAYS, {expiry}: until then an action may be undone")
        return days

    @property
    def problem(self) -> str | None:
        """What must be set before a participant can run, and how; None where nothing is missing."""
        missing = [f"SAGA_{name.upper()}" for name in self.NEEDED if name not in self.model_fields_set]
        if not missing:
            return None
        return f"Set {' and '.join(missing)}: `saga servers` starts both databases and prints these variables."

    @property
    def streams(self) -> Streams:
        """The names of all streams."""
        return streams_at(self.redis_url, self.stream_prefix, self.partitions)

    @property
    def inbox_expiry(self) -> timedelta:
        """How long inbox rows are kept."""
        return timedelta(days=self.inbox_expiry_days)

    @property
    def ledger_retention(self) -> timedelta | None:
        """How long rows of a ledger are kept; None: for ever."""
        return None if self.ledger_retention_days is None else timedelta(days=self.ledger_retention_days)
