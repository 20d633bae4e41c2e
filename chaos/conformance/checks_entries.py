"""The checks of entries and of the stream: what may be missing, what can't be read, and when to acknowledge.

In each check of an entry that can't be read, a good command comes right behind it, in the same batch.
"""

from collections.abc import Mapping

from chaos.conformance import duties
from chaos.conformance.checks import CHECKS_OF_DUTIES, COPIES, DONE, UNDO, action, revoke, then
from chaos.conformance.language import AfterLosingTheGroup, Check, Data, Effect, Expect, WhileRefused

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNKNOWN_TYPE = "{participant}.conformance-unknown"
EVERYTHING = "*"  #: in place of a field's name: none of the usual ones
OPTIONAL = frozenset(
    {"specversion", "source", "subject", "time", "attempt", "firsttime", "expirytime", "traceparent", "undoestime"}
)

_FIELDS = (
    Check(
        name="optional-fields",
        says="A command comes with `id`, `type`, `data` and `replyto` only; so does its compensation.",
        duty=duties.FIELDS,
        steps=[then(action(Expect.SUCCEEDED, without=OPTIONAL)), then(UNDO.again(1, without=OPTIONAL))],
        effect=Effect.UNDONE,
        acknowledged=True,
    ),
    Check(
        name="unknown-fields",
        says="A command comes with fields that nobody knows, one of them empty.",
        duty=duties.FIELDS,
        steps=[then(action(Expect.SUCCEEDED, fields={"conformance": "kit", "x": "", "dataschema": "urn:x"}))],
        effect=Effect.ONCE,
        acknowledged=True,
    ),
    Check(
        name="unknown-data",
        says="A command's data has a field that nobody knows, as a newer orchestrator may send it.",
        duty=duties.FIELDS,
        steps=[then(action(Expect.SUCCEEDED, Data.MORE))],
        effect=Effect.ONCE,
        required=False,
    ),
    Check(
        name="copied-fields",
        says="The reply has the command's `attempt` and `traceparent`.",
        duty=duties.ANSWER,
        steps=[then(action(Expect.SUCCEEDED, attempt=3, fields={"traceparent": TRACE}))],
        copied={"attempt": "3", "traceparent": TRACE},
        required=False,
    ),
    Check(
        name="no-replyto",
        says="A command comes without `replyto`, and is done: a revoke comes too late. Then it comes again, with it.",
        duty=duties.NOBODY_WAITS,
        steps=[
            then(action(Expect.ACKNOWLEDGED, without=frozenset({"replyto"}))),
            then(revoke(Expect.REJECTED)),
            then(DONE.again(2)),
        ],
        effect=Effect.ONCE,
        acknowledged=True,
    ),
)

_STREAM = (
    Check(
        name="acknowledged",
        says=f"Of {COPIES} commands at once every entry is acknowledged.",
        duty=duties.ACKNOWLEDGE,
        steps=[then(*(action(Expect.SUCCEEDED, saga=f"a{number}") for number in range(COPIES)))],
        acknowledged=True,
    ),
    Check(
        name="reply-first",
        says="Redis refuses the reply: the entry must not be acknowledged. Then the command comes again.",
        duty=duties.REPLY_FIRST,
        steps=[WhileRefused(action(Expect.ACKNOWLEDGED)), then(DONE.again(2))],
        effect=Effect.ONCE,
    ),
    Check(
        name="group-made-again",
        says="The group is destroyed, and a command waits on the stream before it is made again.",
        duty=duties.GROUP,
        steps=[AfterLosingTheGroup(action(Expect.SUCCEEDED)), then(DONE.again(2))],
        effect=Effect.ONCE,
        acknowledged=True,
    ),
)


def _unreadable(
    name: str, says: str, fields: Mapping[str, str | bytes], without: str = "", *, may_succeed: bool = False
) -> Check:
    expect = Expect.ACKNOWLEDGED if may_succeed else Expect.SETTLED
    bad = action(expect, saga="bad", fields=fields, without=frozenset([without]))
    return Check(
        name=f"unreadable-{name}", says=says, duty=duties.POISON, steps=[then(bad, DONE), then(DONE)], acknowledged=True
    )


def _strange(name: str, says: str, fields: Mapping[str, str | bytes]) -> Check:
    """As above, but a participant to which the strange part does not matter may do the command."""
    return _unreadable(name, says, fields, may_succeed=True)


_UNREADABLE = (
    Check(
        name="unknown-type",
        says="A command comes of a type that nobody knows, and a good one behind it.",
        duty=duties.UNKNOWN,
        steps=[then(action(Expect.NO_SUCCESS, saga="bad", fields={"type": UNKNOWN_TYPE}), DONE)],
        acknowledged=True,
    ),
    Check(
        name="missing-data-fields",
        says="Commands come that lack one field of their data each, and a good one behind them.",
        duty=duties.POISON,
        steps=[then(action(Expect.ANSWER, Data.LESS, saga="bad"), DONE)],
        acknowledged=True,
    ),
    Check(
        name="wrong-data-fields",
        says="Commands come with one field of a wrong type each, and a good one behind them.",
        duty=duties.POISON,
        steps=[then(action(Expect.ANSWER, Data.WRONG, saga="bad"), DONE)],
        acknowledged=True,
    ),
    _unreadable("json", "The data is no JSON.", {"data": '{"a": '}),
    _unreadable("list", "The data is a JSON list.", {"data": "[1, 2, 3]"}),
    _unreadable("null", "The data is `null`.", {"data": "null"}),
    _unreadable("deep", "The data is nested 10,000 deep.", {"data": '{"a":' + "[" * 10_000 + "]" * 10_000 + "}"}),
    _unreadable("bytes", "The data is no UTF-8.", {"data": b'{"a": "\xff\xfe"}'}),
    _unreadable("no-data", "There is no data.", {}, "data"),
    _unreadable("no-type", "There is no type.", {}, "type"),
    _unreadable("no-id", "There is no id, so nobody can be answered.", {}, "id"),
    _unreadable("nothing", "The entry has nothing but a field that nobody knows.", {"conformance": "x"}, EVERYTHING),
    _strange("nan", "The data has a NaN, which is no JSON.", {"data": '{"a": NaN}'}),
    _strange("huge", "The data is larger than 256 KiB.", {"data": '{"a": "' + "x" * 300_000 + '"}'}),
    _strange("nul", "The data has a NUL character.", {"data": '{"a": "\\u0000"}'}),
    _strange("integer", "The data has an integer beyond 64 bits.", {"data": '{"a": 123456789012345678901234567890}'}),
    _strange("empty-id", "The id is empty.", {"id": ""}),
    _strange("control-characters", "The id has control characters.", {"id": "conformance\x00\x1b[2J\n/a/action"}),
    _strange("long-id", "The id is 10,000 characters long.", {"id": "conformance-" + "x" * 10_000}),
    _strange("attempt", "The attempt is a word.", {"attempt": "many"}),
    _strange("time", "`firsttime` is no time.", {"firsttime": "yesterday"}),
)

#: Every check, in the order in which they run: what can end a process comes last.
CHECKS = (*CHECKS_OF_DUTIES, *_FIELDS, *_STREAM, *_UNREADABLE)
