"""What the orchestrator and a participant agree on: commands, replies, and the endpoint that joins the two.

A contracts module is imported by both sides. It must never import anything of either.
"""

import re
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import AliasChoices, AliasGenerator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from sagas.errors import InvalidDefinition

NAME = re.compile(r"[a-z][a-z0-9-]*", re.ASCII)  #: names of sagas, steps, participants and messages
MAX_NAME_LENGTH = 64
REVOKE = "revoke"  #: every participant's generic command: make sure that an action never happens

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class _Model(BaseModel):
    # JSON has neither NaN nor Infinity. By default pydantic takes them in and writes them as null.
    model_config = ConfigDict(frozen=True, allow_inf_nan=False, ser_json_inf_nan="constants")


class Value(_Model):
    """A value inside commands, replies and data, such as one item of an order. Unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class Command(Value):
    """What a participant is asked to do; an imperative, like `ReserveStock`.

    Unknown fields are ignored, so that a newer orchestrator can talk to an older participant.
    """


class Reply(Value):
    """What a participant says when it has done it; a past participle, like `StockReserved`.

    Unknown fields are ignored, so that a newer participant can talk to an older orchestrator.
    """


class SagaInput(_Model):
    """What a client may send to start a saga, and the values inside it.

    Accepts `camelCase` as well as `snake_case` (not both at once) and is shown in `snake_case`. Unknown fields are
    refused: a client can't set what replies fill, and a misspelt optional field is not silently lost.
    """

    model_config = ConfigDict(
        extra="forbid",
        alias_generator=AliasGenerator(validation_alias=lambda name: AliasChoices(name, to_camel(name))),
    )


class SagaData(_Model):
    """What a running saga knows: the fields of its input, and those that replies fill (default `None`)."""

    model_config = ConfigDict(extra="ignore")


C = TypeVar("C", bound=Command)
R = TypeVar("R", bound=Reply)


@dataclass(frozen=True, init=False, repr=False)
class Endpoint(Generic[C, R]):
    """One thing that a participant can do: `Endpoint("inventory", ReserveStock, StockReserved)`.

    The `name` is the command class in kebab-case unless given; the message `type` is `inventory.reserve-stock`.
    """

    participant: str
    command: type[C]
    reply: type[R]
    name: str  #: `reserve-stock`

    def __init__(self, participant: str, command: type[C], reply: type[R], name: str | None = None) -> None:
        """Raises `InvalidDefinition` for names that can't be used."""
        _check_classes(command, reply)
        vars(self).update(participant=participant, command=command, reply=reply)
        vars(self).update(name=kebab_case(command.__name__) if name is None else name)
        for part in (self.participant, self.name):
            check_name(part, f"Endpoint {self.type!r}")
        if self.name == REVOKE:
            raise InvalidDefinition(f"Endpoint {self.type!r}: {REVOKE!r} is reserved; give it another name=")

    @property
    def type(self) -> str:
        """The message type on the wire: `inventory.reserve-stock`."""
        return f"{self.participant}.{self.name}"

    def __repr__(self) -> str:
        return f"Endpoint({self.type!r})"


AnyEndpoint = Endpoint[Any, Any]


class Reject(Exception):
    """The business says no: raised by a handler, or returned as one outcome of a batch. Final, never retried."""

    def __init__(self, code: str, detail: str = "") -> None:
        self.code = code  #: for programs: `out-of-stock`
        self.detail = detail  #: for people
        super().__init__(code, detail)

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reject) and self.args == other.args

    def __hash__(self) -> int:
        return hash(self.args)


def kebab_case(class_name: str) -> str:
    """`ReserveStock` as `reserve-stock`, `HTTPCall` as `http-call`."""
    return _WORD_START.sub("-", class_name).lower()


def check_name(name: object, where: str) -> None:
    """Raise `InvalidDefinition` unless the name fits streams, ids and URLs."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidDefinition(
            f"{where}: the name {name!r} must be lower-case letters, digits and '-', a letter first"
        )
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidDefinition(f"{where}: the name {name!r} is longer than {MAX_NAME_LENGTH} characters")


def _check_classes(command: object, reply: object) -> None:
    for given, base in ((command, Command), (reply, Reply)):
        if not (isinstance(given, type) and issubclass(given, base)):
            raise InvalidDefinition(f"Endpoint: {given!r} must be a subclass of {base.__name__}")
