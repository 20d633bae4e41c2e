"""Every setting and limit of the orchestrator: environment variables `SAGA_…`, checked before the first message.

An error here names the variable and says what to do; it never shows a value, because URLs hold passwords.
"""

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from adapters.mongo import Driver
from adapters.secret_files import with_files
from adapters.streams.address import PARTITIONS, REDIS_URL, Address, streams_at
from adapters.streams.names import MAX_PARTITIONS, MAX_SLOTS, Streams
from orchestrator.keys import KeyRing, parse_keys
from orchestrator.listeners import Room

PREFIX = "SAGA_"

_WHAT_TO_DO = {
    "mongo_url": "the URL of a MongoDB replica set (transactions need one): mongodb://127.0.0.1:27017/?replicaSet=rs0",
    "redis_url": "the URL of a Redis or Valkey, 7.0 or newer: redis://127.0.0.1:6379/0",
}
_MONGO_SCHEMES = ("mongodb://", "mongodb+srv://")


class InvalidSettings(ValueError):
    """Settings that can't work: one line for each, with the variable's name and what to do."""

    def __init__(self, message: str, names: frozenset[str] = frozenset()) -> None:
        super().__init__(message)
        self.names = names  #: the fields that are wrong


class Settings(BaseSettings):
    """What the orchestrator can be told."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True)

    mongo_url: str = Field(repr=False, exclude=True, description="MongoDB replica set; transactions need one.")
    redis_url: str = Field(repr=False, exclude=True, description=REDIS_URL)
    mongo_url_file: Path | None = Field(None, description="A file with `SAGA_MONGO_URL`, where that is not set itself.")
    redis_url_file: Path | None = Field(None, description="A file with `SAGA_REDIS_URL`, likewise.")
    mongo_driver: Driver = Field(
        "motor", description="`motor`, or `pymongo`, its own asynchronous client, which is a little faster."
    )
    definitions: str = Field("sagas.order", description="Modules with the sagas to run, separated by commas.")
    database_prefix: str = Field(
        "saga_", pattern=r"^[A-Za-z0-9_-]{0,32}$", description="The database is this and `orchestrator`."
    )
    stream_prefix: str = Field(
        "saga.", pattern=r"^[A-Za-z0-9_.-]{0,32}$", description="What the name of every stream begins with."
    )
    partitions: int | None = Field(None, ge=1, le=MAX_PARTITIONS, description=PARTITIONS)
    data_dir: Path = Field(Path(".saga"), description="Where `saga up` keeps its servers' data.")

    api_keys: SecretStr = Field(
        SecretStr(""),
        description="Who may call: `name:sha256hex:scope+scope[:expires],…`, with scopes read, start and operate.",
    )
    api_keys_file: Path | None = Field(None, description="A file with the same instead; read again when it changes.")
    http_host: str = Field("127.0.0.1", description="Where HTTP listens: an address; without keys a loopback one.")
    http_port: int = Field(8700, ge=0, le=65_535, description="The port; 0 takes any free one.")
    max_body_bytes: int = Field(262_144, ge=1_024, le=8_388_608, description="Longest request body; beyond it: 413.")
    receive_timeout_s: float = Field(
        10.0, ge=0.1, le=300, description="How long a request's head, and then its body, may take to arrive."
    )
    max_requests: int = Field(2_000, ge=1, le=100_000, description="Requests in hand at once; beyond it: 503.")
    rate_limit: float = Field(
        0, ge=0, le=1_000_000, description="Requests a second of one API key; beyond it: 429. 0: any number."
    )
    rate_limit_total: float = Field(
        0, ge=0, le=1_000_000, description="Requests a second of all callers together; beyond it: 429. 0: any number."
    )
    max_batch: int = Field(1_000, ge=1, le=10_000, description="Sagas in one `POST /v1/sagas:batch`.")
    wait_max_s: float = Field(30.0, ge=0, le=300, description="Longest `Prefer: wait`; a longer wish is cut to this.")

    max_listeners: int = Field(1_000, ge=0, le=100_000, description="Streams of events at once; beyond it: 503.")
    listener_backlog: int = Field(
        10_000, ge=100, le=1_000_000, description="Events that may wait for a slow listener; beyond it: it is cut off."
    )

    max_active: int = Field(100_000, ge=1, le=10_000_000, description="Sagas in flight; at that many a start gets 503.")
    max_backlog: int = Field(
        100_000,
        ge=1,
        le=10_000_000,
        description="Messages waiting in one stream; at that many a start gets 503.",
    )
    max_starting: int = Field(10_000, ge=1_000, le=1_000_000, description="Sagas waiting to be stored; beyond it: 503.")
    start_batch: int = Field(500, ge=1, le=10_000, description="New sagas stored in one write.")
    start_gather_s: float = Field(
        0.1, ge=0, le=1, description="How long a few new sagas wait for others at most, while many come. 0: never."
    )
    reply_batch: int = Field(200, ge=1, le=10_000, description="Replies read and applied at once.")
    sweep_batch: int = Field(500, ge=1, le=10_000, description="Timers handled at once.")
    sweep_every_s: float = Field(0.25, ge=0.01, le=60, description="How often due timers are looked for.")
    events_kept: int = Field(
        1_000_000,
        ge=1_000,
        le=1_000_000_000,
        description="Newest entries of the stream of events; each takes some 450 bytes in Redis.",
    )
    resend_rate: int = Field(5_000, ge=1, le=1_000_000, description="Commands sent again in a second, at most.")
    reply_streams: int = Field(
        16,
        ge=0,
        le=MAX_SLOTS,
        description="Streams for replies, `replies.0` and so on, one for each orchestrator. 0: one for all.",
    )
    cache_limit: int = Field(20_000, ge=0, le=10_000_000, description="Saga states kept in memory.")
    shutdown_timeout_s: float = Field(20.0, ge=1, le=600, description="How long an orderly end may take.")

    inbox_expiry_days: int = Field(
        90, ge=2, le=3_650, description="As the participants have it: the longest that one of them keeps its inbox."
    )
    retention_days: int | None = Field(
        None,
        ge=3,
        le=24_000,
        description="How long a saga is kept after its end; unset: for ever. Longer than `SAGA_INBOX_EXPIRY_DAYS`.",
    )
    archive: bool = Field(False, description="Whether a copy of a saga stays in `sagas_archive` when its time is over.")
    dead_letter_expiry_days: int = Field(90, ge=1, le=24_000, description="How long a dead letter is kept.")
    audit_expiry_days: int = Field(400, ge=1, le=24_000, description="How long an audit record is kept.")

    access_log: bool = Field(False, description="Whether each HTTP request is logged; probes and scrapes are not.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least important level.")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`auto`: lines for people on a terminal, JSON elsewhere."
    )

    @classmethod
    def load(cls, **given: Any) -> "Settings":
        """From the environment; what is given here comes first. Raises `InvalidSettings`."""
        try:
            return cls(**given)
        except ValidationError as error:
            wrong = error.errors()
            names = frozenset(str(one["loc"][0]) for one in wrong if one["loc"])
            raise InvalidSettings("\n".join(_explained(one) for one in wrong), names) from None

    @model_validator(mode="before")
    @classmethod
    def _reads_files(cls, given: Any) -> Any:
        return with_files(given, "mongo_url", "redis_url")

    @field_validator("mongo_url")
    @classmethod
    def _has_scheme(cls, url: str) -> str:
        if not url.startswith(_MONGO_SCHEMES):
            raise ValueError(f"must begin with {' or '.join(_MONGO_SCHEMES)}")
        return url

    @field_validator("redis_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        Address.parse(url)
        return url

    @field_validator("api_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr) -> SecretStr:
        if keys.get_secret_value().strip():
            parse_keys(keys.get_secret_value())
        return keys

    @field_validator("api_keys_file")
    @classmethod
    def _holds_keys(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        inline = info.data.get("api_keys")
        if file is not None and inline is not None and inline.get_secret_value().strip():
            raise ValueError("SAGA_API_KEYS is set too; use one of them")
        try:
            KeyRing(file=file)
        except OSError as error:
            raise ValueError(f"can't be read: {error.strerror}") from None
        return file

    @field_validator("retention_days")
    @classmethod
    def _outlasts_inboxes(cls, days: int | None, info: ValidationInfo) -> int | None:
        expiry = info.data.get("inbox_expiry_days")
        if days is not None and expiry is not None and days <= expiry:
            raise ValueError(
                f"must be more than SAGA_INBOX_EXPIRY_DAYS, {expiry}: a saga that is started again under the id of one "
                "that has gone would get the replies of that one from inboxes that still have them"
            )
        return days

    @field_validator("http_host")
    @classmethod
    def _is_loopback(cls, host: str, info: ValidationInfo) -> str:
        if host == "localhost":
            return "127.0.0.1"
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            address = None
        keys = info.data.get("api_keys")
        guarded = (keys is not None and keys.get_secret_value().strip()) or info.data.get("api_keys_file")
        if address is None or not (address.is_loopback or guarded):
            raise ValueError(
                "must be a loopback address such as 127.0.0.1, or, where SAGA_API_KEYS or SAGA_API_KEYS_FILE say who "
                "may call, any address of this machine: without keys whoever reaches this port may start sagas"
            )
        return host

    def with_definitions(self, modules: Sequence[str]) -> "Settings":
        """These settings, and sagas of further modules."""
        return self.model_copy(update={"definitions": ",".join([self.definitions, *modules])})

    @property
    def streams(self) -> Streams:
        """The names of all streams."""
        return streams_at(self.redis_url, self.stream_prefix, self.partitions)

    @property
    def key_ring(self) -> KeyRing:
        """The API keys."""
        inline = self.api_keys.get_secret_value()
        return KeyRing(parse_keys(inline) if inline.strip() else (), self.api_keys_file)

    @property
    def room(self) -> Room:
        """For listeners."""
        return Room(self.max_listeners, self.listener_backlog)

    @property
    def database(self) -> str:
        """The orchestrator's own database."""
        return f"{self.database_prefix}orchestrator"


def _explained(error: Any) -> str:
    said = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return str(said)  # It names the variable itself.
    name = str(error["loc"][0])
    if error["type"] == "missing":
        return f"{PREFIX}{name.upper()} is not set; give it {_WHAT_TO_DO[name]}"
    return f"{PREFIX}{name.upper()}: {said}"
