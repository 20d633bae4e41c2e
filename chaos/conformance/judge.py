"""What a participant did, against what it must do. Pure: answers and ledger rows in, faults in words out."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.streams.envelope import Undecodable, decode_reply
from chaos.conformance.compose import Command
from chaos.conformance.language import Check, Effect, Expect
from sagas.messages import Kind, Outcome

Json = Mapping[str, Any]
Row = Mapping[str, Any]

MOST_CHARS = 300  #: of anything that is shown


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply. `fault` says why it is none."""

    outcome: Outcome | None
    data: Json = field(hash=False)
    attempt: int | None
    fields: Mapping[str, str] = field(hash=False)
    fault: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> "Answer":
        """From the fields of an entry."""
        try:
            reply = decode_reply(fields)
        except Undecodable as error:
            return cls(None, {}, None, fields, str(error))
        fault = "it is `failed` without `attempt`" if reply.outcome is Outcome.FAILED and reply.attempt is None else ""
        return cls(reply.outcome, reply.data, reply.attempt, fields, fault)

    @property
    def claims_success(self) -> bool:
        """Whether something was done, it seems, even if the reply is of no use."""
        return self.fields.get("outcome") == Outcome.SUCCEEDED

    @property
    def is_final(self) -> bool:
        """Whether it is stored and must be the same ever after."""
        return self.outcome in (Outcome.SUCCEEDED, Outcome.REJECTED)


@dataclass(slots=True)
class Exchange:
    """A command that was sent, and what became of it."""

    command: Command
    entries: list[str] = field(default_factory=list)  #: ids on the stream
    answers: list[Answer] = field(default_factory=list)  #: what came from this sending on, until the next
    unsettled: bool = False  #: not acknowledged in time
    lost: bool = False  #: acknowledged although Redis had refused the reply

    @property
    def final(self) -> Sequence[Answer]:
        """Its final answers."""
        return [answer for answer in self.answers if answer.is_final]


def faults(check: Check, exchanges: Sequence[Exchange], rows: Sequence[Row] | None) -> list[str]:
    """Everything that is wrong; `rows` is the ledger of the check's sagas, None where there is none to look at."""
    found = [
        *(fault for exchange in exchanges for fault in _faults_of(check, exchange, exchanges)),
        *_unequal(exchanges),
        *(() if rows is None else _effects(check.effect, exchanges, rows)),
    ]
    return list(dict.fromkeys(map(presentable, found)))


def presentable(value: str | bytes) -> str:
    """Anything that was sent or came, of bounded length, fit for a terminal and for XML."""
    text = value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
    cut = text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]}… ({len(text)} characters)"
    return cut if cut.isprintable() else cut.encode("unicode_escape").decode()


def _faults_of(check: Check, exchange: Exchange, exchanges: Sequence[Exchange]) -> Iterator[str]:
    name, expect = _name(exchange), exchange.command.sending.expect
    if expect is not Expect.ACKNOWLEDGED:
        yield from (f"{name}: its reply can't be used: {answer.fault}" for answer in exchange.answers if answer.fault)
    if exchange.lost:
        yield f"{name}: it was acknowledged although Redis had refused its reply"
    if check.acknowledged and exchange.unsettled:
        yield f"{name}: it was not acknowledged"
    if expect.answered and not exchange.answers:
        yield f"{name}: no answer came; it must be {expect}"
    wrong = (answer for answer in _judged(exchange) if not answer.fault and not _fits(answer, exchange, exchanges))
    yield from (f"{name}: it must be {expect}, and is {shown}" for shown in dict.fromkeys(map(_shown, wrong)))
    yield from _not_copied(check, exchange)


def _judged(exchange: Exchange) -> Sequence[Answer]:
    """The answers that count: `failed` is no answer yet where a final one is awaited, unless nothing else came."""
    if not exchange.command.sending.expect.final:
        return exchange.answers
    return exchange.final or exchange.answers[-1:]


def _fits(answer: Answer, exchange: Exchange, exchanges: Sequence[Exchange]) -> bool:
    match exchange.command.sending.expect:
        case Expect.SUCCEEDED:
            return answer.outcome is Outcome.SUCCEEDED
        case Expect.REJECTED:
            return answer.outcome is Outcome.REJECTED
        case Expect.EITHER:
            return answer.is_final
        case Expect.THE_REPLY:
            reply = _reply_of(exchange.command.action_id, exchanges)
            return answer.outcome is Outcome.REJECTED and answer.data == reply
        case Expect.EXPIRED:
            return answer.outcome is Outcome.FAILED and answer.data.get("code") == "expired"
        case Expect.NO_SUCCESS | Expect.SETTLED:
            return answer.outcome is not Outcome.SUCCEEDED
        case Expect.ANSWER | Expect.ACKNOWLEDGED:
            return True


def _reply_of(command_id: str, exchanges: Sequence[Exchange]) -> Json | None:
    found = (answer.data for each in exchanges if each.command.id == command_id for answer in each.final)
    return next(found, None)


def _unequal(exchanges: Sequence[Exchange]) -> Iterator[str]:
    """Final answers to one id that differ."""
    answers: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for exchange in exchanges:
        answers[exchange.command.id].update(dict.fromkeys(map(_shown, exchange.final)))
    for command_id, shown in answers.items():
        if command_id and len(shown) > 1:
            yield f"{command_id}: its answers differ: {', then '.join(shown)}"


def _not_copied(check: Check, exchange: Exchange) -> Iterator[str]:
    for answer in exchange.answers:
        for name, value in check.copied.items():
            found = answer.fields.get(name, "none")
            if found != value:
                yield f"{_name(exchange)}: its reply must have `{name}` {value}, and has {found}"


def _effects(effect: Effect, exchanges: Sequence[Exchange], rows: Sequence[Row]) -> Iterator[str]:
    """What the ledger says of each saga that was to have an effect."""
    if effect is Effect.UNSEEN:
        return
    for saga_id in dict.fromkeys(exchange.command.saga_id for exchange in exchanges):
        own = [row for row in rows if row.get("saga_id") == saga_id]
        if not _is(effect, own):
            yield f"{saga_id}: its ledger must have {effect}, and has {_rows_shown(own)}"


def _is(effect: Effect, rows: Iterable[Row]) -> bool:
    counts = Counter((str(row.get("kind")), str(row.get("key"))) for row in rows)
    sums: Counter[str] = Counter()
    for row in rows:
        sums[str(row.get("key"))] += row.get("amount", 0)
    kinds = {kind for kind, _ in counts}
    once = all(count == 1 for count in counts.values())
    undone = once and kinds == {Kind.ACTION.value, Kind.COMPENSATION.value} and not any(sums.values())
    match effect:
        case Effect.NONE:
            return not counts
        case Effect.ONCE:
            return once and kinds == {Kind.ACTION.value}
        case Effect.UNDONE:
            return undone
        case Effect.NOTHING_LEFT:
            return undone or not counts
        case Effect.UNSEEN:
            return True


def _rows_shown(rows: Sequence[Row]) -> str:
    shown = (f"{row.get('kind')} {row.get('key')} {row.get('amount'):+}" for row in rows[:6])
    return ", ".join(shown) or "nothing"


def _name(exchange: Exchange) -> str:
    return exchange.command.id[:120] or str(exchange.command.fields.get("type", "the entry"))


def _shown(answer: Answer) -> str:
    data = str(dict(answer.data))
    return f"{answer.outcome or 'unreadable'} {data if len(data) <= 120 else data[:120] + '…'}"
