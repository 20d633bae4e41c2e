"""From a check to the entries that are sent for one participant. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from adapters.streams.envelope import time_text
from chaos.conformance.checks_entries import EVERYTHING
from chaos.conformance.language import Age, Data, Expect, Need, Sending
from sagas.contracts import REVOKE
from sagas.messages import Kind

Json = Mapping[str, Any]
Fields = Mapping[str, str | bytes]

PREFIX = "conformance-"  #: every saga id of ours begins with it
SAGA_ID = "{saga_id}"  #: in examples: becomes the id of the saga that is sent
EXPIRY = timedelta(days=90)  #: of inboxes, unless told otherwise
_DEADLINE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The participant that is examined, and what it may be sent."""

    participant: str
    step: str  #: the middle part of the command ids, by which ledgers know it
    action: str  #: a message type
    data: Json
    rejected_data: Json | None = None
    compensation: str | None = None
    compensation_data: Json
    inbox_expiry: timedelta | None = EXPIRY  #: how long its rows are kept; None: for ever
    destructive: bool = False

    @property
    def lacks(self) -> frozenset[Need]:
        """What can't be checked with it."""
        missing = {
            Need.COMPENSATION: self.compensation is None,
            Need.REJECTED_DATA: self.rejected_data is None,
            Need.EXPIRY: self.inbox_expiry is None,
            Need.DESTRUCTIVE: not self.destructive,
            Need.FIELDS: not self.data,
        }
        return frozenset(need for need, is_missing in missing.items() if is_missing)


@dataclass(frozen=True, slots=True)
class Command:
    """One sending, ready to go."""

    sending: Sending
    saga_id: str
    action_id: str
    fields: Fields

    @property
    def id(self) -> str:
        """What the answer must name; empty where nothing can be named."""
        found = self.fields.get("id", "")
        return found if isinstance(found, str) else ""


@dataclass(frozen=True, slots=True)
class Composer:
    """Makes the commands of one check in one run."""

    subject: Subject
    name: str  #: of run and check, unique: `3f2a01bc-late-action`
    reply_to: str

    def commands(self, sending: Sending, now: datetime) -> Iterator[Command]:
        """What a sending stands for: several commands where its data comes in variants."""
        for suffix, data in self._data(sending):
            saga_id = f"{PREFIX}{self.name}-{sending.saga}{suffix}"
            yield self._command(sending, saga_id, _filled(data, saga_id), now)

    def undoing(self, done: Command, now: datetime) -> Command:
        """The compensation of an action that was done, to leave things as they were."""
        sending = Sending(kind=Kind.COMPENSATION, expect=Expect.SUCCEEDED, fields={"undoes": done.id})
        return self._command(sending, done.saga_id, _filled(self.subject.compensation_data, done.saga_id), now)

    def _command(self, sending: Sending, saga_id: str, data: str, now: datetime) -> Command:
        usual: dict[str, str | bytes] = {
            "specversion": "1.0",
            "id": f"{saga_id}/{self.subject.step}/{sending.kind.value}",
            "type": self._type(sending.kind),
            "source": "/conformance",
            "subject": saga_id,
            "time": time_text(now),
            "data": data,
            "attempt": str(sending.attempt),
            "firsttime": time_text(now - self._ago(sending.age)),
            "expirytime": time_text(now + _DEADLINE),
            "replyto": self.reply_to,
        }
        action_id = f"{saga_id}/{self.subject.step}/{Kind.ACTION.value}"
        if sending.kind is not Kind.ACTION:
            usual |= {"undoes": action_id, "undoestime": time_text(now - self._ago(sending.action_age))}
        kept = {
            name: value
            for name, value in usual.items()
            if name not in sending.without and EVERYTHING not in sending.without
        }
        return Command(sending, saga_id, action_id, {**kept, **self._own(sending.fields)})

    def _ago(self, age: Age) -> timedelta:
        expiry = self.subject.inbox_expiry or EXPIRY
        match age:
            case Age.NEW:
                return timedelta()
            case Age.KNOWN:
                return expiry - timedelta(hours=36)
            case Age.EXPIRED:
                return expiry - timedelta(hours=12)

    def _own(self, fields: Fields) -> Fields:
        name = self.subject.participant
        return {
            key: value.replace("{participant}", name) if isinstance(value, str) else value
            for key, value in fields.items()
        }

    def _type(self, kind: Kind) -> str:
        if kind is Kind.REVOKE:
            return f"{self.subject.participant}.{REVOKE}"
        if kind is Kind.COMPENSATION:
            assert self.subject.compensation is not None, "a check that needs it was not left out"
            return self.subject.compensation
        return self.subject.action

    def _data(self, sending: Sending) -> Sequence[tuple[str, Json]]:
        subject = self.subject
        if sending.kind is not Kind.ACTION:
            return [("", subject.compensation_data if sending.kind is Kind.COMPENSATION else {})]
        match sending.data:
            case Data.GOOD:
                return [("", subject.data)]
            case Data.REJECTED:
                return [("", subject.rejected_data or {})]
            case Data.MORE:
                return [("", {**subject.data, "conformance_kit": {"unknown": True}})]
            case Data.LESS:
                return [(f"-{n}", _without(subject.data, name)) for n, name in enumerate(subject.data)]
            case Data.WRONG:
                wrong = ({**subject.data, name: _wrong(value)} for name, value in subject.data.items())
                return [(f"-{n}", data) for n, data in enumerate(wrong)]


def _without(data: Json, name: str) -> Json:
    return {key: value for key, value in data.items() if key != name}


def _wrong(value: object) -> object:
    """A value of another JSON type."""
    return {"wrong": True} if not isinstance(value, dict) else ["wrong"]


def _filled(data: Json, saga_id: str) -> str:
    return json.dumps(data, ensure_ascii=False).replace(SAGA_ID, saga_id)
