"""How a participant's answers are judged, what is sent to it, and how the sheet is written: all without a server."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from adapters.streams.envelope import Undecodable, decode_command
from chaos.conformance.checks import ANSWERED, DONE, PAIRS, TOO_LATE, UNDO, action, then
from chaos.conformance.checks_entries import CHECKS
from chaos.conformance.compose import Composer, Subject
from chaos.conformance.judge import Answer, Exchange, Row, faults
from chaos.conformance.language import Age, Check, Data, Effect, Expect, Need, Sending
from chaos.conformance.run import MAX_NAME
from chaos.conformance.sheet import Result, Sheet, Status, as_json, as_junit, conversation
from cli.conformance.subject import Given, OfStep, target_of
from orchestrator.api.body import ID_PATTERN
from sagas.messages import Kind

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SUBJECT = Subject(
    participant="till",
    step="take",
    action="till.take",
    data={"amount": 5, "order": "{saga_id}"},
    rejected_data={"amount": 5_000},
    compensation="till.put-back",
    compensation_data={"why": "{saga_id}"},
)
COMPOSER = Composer(SUBJECT, "run-1-check", "t.conformance.run")
SAGA = "conformance-run-1-check-a"


def said(outcome: str, data: dict[str, Any] | None = None, **fields: str) -> Answer:
    return Answer.of({"causationid": "x/y/z", "outcome": outcome, "data": json.dumps(data or {}), **fields})


def exchange(sending: Sending, *answers: Answer, **given: Any) -> Exchange:
    (command,) = COMPOSER.commands(sending, NOW)
    return Exchange(command, answers=[*answers], **given)


def row(kind: str, amount: int, key: str = "till") -> Row:
    return {"saga_id": SAGA, "step": "take", "kind": kind, "key": key, "amount": amount}


def judged(*exchanges: Exchange, check: Check = ANSWERED, rows: Sequence[Row] | None = None) -> list[str]:
    return faults(check, exchanges, rows)


@pytest.mark.parametrize(
    ("expect", "fits", "does_not"),
    [
        (Expect.SUCCEEDED, ["succeeded"], ["rejected", "failed"]),
        (Expect.REJECTED, ["rejected"], ["succeeded", "failed"]),
        (Expect.EITHER, ["succeeded", "rejected"], ["failed"]),
        (Expect.NO_SUCCESS, ["failed", "rejected"], ["succeeded"]),
        (Expect.SETTLED, ["failed", "rejected"], ["succeeded"]),
        (Expect.ANSWER, ["succeeded", "rejected", "failed"], []),
        (Expect.ACKNOWLEDGED, ["succeeded", "rejected", "failed"], []),
        (Expect.EXPIRED, [], ["succeeded", "rejected", "failed"]),
    ],
)
def test_an_answer_must_be_what_the_check_says(expect: Expect, fits: list[str], does_not: list[str]) -> None:
    for outcome in fits:
        assert judged(exchange(action(expect), said(outcome, attempt="1"))) == []
    for outcome in does_not:
        assert judged(exchange(action(expect), said(outcome, attempt="1"))), outcome


def test_expired_is_said_by_its_code() -> None:
    late = action(Expect.EXPIRED, age=Age.EXPIRED)
    assert judged(exchange(late, said("failed", {"code": "expired"}, attempt="1"))) == []
    assert judged(exchange(late, said("failed", {"code": "internal"}, attempt="1")))


def test_silence_is_a_fault_only_where_an_answer_must_come() -> None:
    assert "no answer came" in judged(exchange(DONE))[0]
    assert judged(exchange(action(Expect.SETTLED))) == judged(exchange(action(Expect.ACKNOWLEDGED))) == []


def test_a_failure_before_the_final_answer_is_none() -> None:
    assert judged(exchange(DONE, said("failed", attempt="1"), said("succeeded"))) == []
    assert "succeeded, and is failed" in judged(exchange(DONE, said("failed", attempt="1")))[0]


def test_a_failure_must_name_its_attempt() -> None:
    assert "`failed` without `attempt`" in judged(exchange(action(Expect.ANSWER), said("failed")))[0]


def test_final_answers_to_one_id_are_equal_whatever_was_expected() -> None:
    first, second = (exchange(action(Expect.EITHER), said("succeeded", {"n": n})) for n in (1, 2))
    assert "its answers differ" in judged(first, second)[0]
    assert judged(first, first) == []
    assert judged(exchange(DONE, said("succeeded", {"n": 1}), said("succeeded", {"n": 2})))


def test_a_late_revoke_must_answer_with_the_actions_reply() -> None:
    done = exchange(DONE, said("succeeded", {"taken": 5}))
    assert judged(done, exchange(TOO_LATE, said("rejected", {"taken": 5}))) == []
    assert judged(done, exchange(TOO_LATE, said("rejected", {"taken": 4})))
    assert judged(done, exchange(TOO_LATE, said("succeeded", {"taken": 5})))


@pytest.mark.parametrize("fields", [{"outcome": "done"}, {"data": "{"}, {"data": "[]"}, {"attempt": "first"}])
def test_a_reply_that_the_orchestrator_could_not_read_is_a_fault(fields: dict[str, str]) -> None:
    answer = Answer.of({"causationid": "x/y/z", "outcome": "succeeded", "data": "{}", **fields})
    assert "its reply can't be used" in judged(exchange(DONE, answer))[0]


def test_an_entry_must_be_acknowledged_where_the_check_says_so_and_never_before_its_reply() -> None:
    answer = said("succeeded")
    assert "not acknowledged" in judged(exchange(DONE, answer, unsettled=True))[0]
    assert judged(exchange(DONE, answer, unsettled=True), check=replace(ANSWERED, acknowledged=False)) == []
    assert "Redis had refused its reply" in judged(exchange(DONE, answer, lost=True))[0]


TOOK, GAVE = row("action", -5), row("compensation", 5)


@pytest.mark.parametrize(
    ("effect", "good", "bad"),
    [
        (Effect.NONE, [[]], [[TOOK], [GAVE], [TOOK, GAVE]]),
        (Effect.ONCE, [[TOOK], [TOOK, row("action", -1, "other")]], [[], [TOOK, TOOK], [TOOK, GAVE]]),
        (Effect.UNDONE, [[TOOK, GAVE]], [[], [TOOK], [GAVE], [TOOK, GAVE, GAVE], [TOOK, row("compensation", 4)]]),
        (Effect.NOTHING_LEFT, [[], [TOOK, GAVE]], [[TOOK], [GAVE], [TOOK, TOOK, GAVE, GAVE]]),
        (Effect.UNSEEN, [[], [TOOK, TOOK]], []),
    ],
)
def test_the_ledger_must_show_the_effect(effect: Effect, good: list[list[Row]], bad: list[list[Row]]) -> None:
    check, done = replace(ANSWERED, effect=effect), exchange(DONE, said("succeeded"))
    for rows in good:
        assert judged(done, check=check, rows=rows) == []
    for rows in bad:
        assert "its ledger must have" in judged(done, check=check, rows=rows)[0]
    assert judged(done, check=check, rows=None) == [], "without a ledger nothing is said of effects"


def test_a_command_of_ours_is_a_command() -> None:
    for sending in (DONE, UNDO, TOO_LATE):
        (command,) = COMPOSER.commands(sending, NOW)
        fields = {name: value for name, value in command.fields.items() if isinstance(value, str)}
        message = decode_command(fields, "till")
        assert (message.kind, message.saga_id, message.step) == (sending.kind, SAGA, "take")
        assert message.undoes == (None if sending.kind is Kind.ACTION else f"{SAGA}/take/action")
        assert message.first_time == message.time == NOW


def test_each_saga_fills_the_examples_with_its_own_id() -> None:
    (done,), (undo,) = COMPOSER.commands(DONE, NOW), COMPOSER.commands(UNDO, NOW)
    assert json.loads(str(done.fields["data"]))["order"] == SAGA
    assert json.loads(str(undo.fields["data"])) == {"why": SAGA}


def test_ages_lie_on_either_side_of_the_day_before_rows_expire() -> None:
    composer = replace(COMPOSER, subject=replace(SUBJECT, inbox_expiry=timedelta(days=7)))
    for age, hours in ((Age.KNOWN, 7 * 24 - 36), (Age.EXPIRED, 7 * 24 - 12)):
        (command,) = composer.commands(replace(DONE, age=age), NOW)
        first = datetime.fromisoformat(str(command.fields["firsttime"]))
        assert NOW - first == timedelta(hours=hours)


def test_each_variant_of_the_data_is_a_saga_of_its_own() -> None:
    less = [*COMPOSER.commands(replace(DONE, data=Data.LESS), NOW)]
    assert [set(json.loads(str(one.fields["data"]))) for one in less] == [{"order"}, {"amount"}]
    wrong = [json.loads(str(one.fields["data"])) for one in COMPOSER.commands(replace(DONE, data=Data.WRONG), NOW)]
    assert [type(one["amount"]) for one in wrong] == [dict, int]
    assert len({one.saga_id for one in less}) == 2


def test_what_is_called_unreadable_is_unreadable() -> None:
    unreadable = [check for check in CHECKS if check.name.startswith("unreadable-")]
    assert len(unreadable) > 15
    for check in unreadable:
        (command,) = COMPOSER.commands(check.sendings[0], NOW)
        fields = {
            name: value if isinstance(value, str) else value.decode(errors="backslashreplace")
            for name, value in command.fields.items()
        }
        with pytest.raises(Undecodable):
            decode_command(fields, "till")


def test_the_checks_can_be_told_apart_and_their_sagas_have_ids() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    longest = "x" * MAX_NAME
    for check in CHECKS:
        for command in (one for each in check.sendings for one in Composer(SUBJECT, longest, "r").commands(each, NOW)):
            assert re.fullmatch(ID_PATTERN, command.saga_id), command.saga_id


def test_a_check_says_what_it_needs() -> None:
    needs = {check.name: check.needs for check in CHECKS}
    assert needs["answered"] == needs["repeat"] == needs["revoke-of-nothing"] == frozenset()
    assert needs["race"] == {Need.COMPENSATION}
    assert needs["compensation-of-a-rejected-action"] == {Need.COMPENSATION, Need.REJECTED_DATA}
    assert needs["group-made-again"] == {Need.DESTRUCTIVE}
    assert needs["expired-action"] == {Need.EXPIRY}
    bare = replace(SUBJECT, data={}, rejected_data=None, compensation=None, inbox_expiry=None)
    assert bare.lacks == {*Need}


def sheet(*results: Result) -> Sheet:
    return Sheet("t.commands.till", "till", "replies alone", results)


FAILED = Result(ANSWERED, Status.FAILED, ["it said \x1b[2J no"], [exchange(DONE, said("rejected"))])
UNREACHED = Result(CHECKS[1], Status.UNREACHED, reason="it is gone")
SKIPPED = Result(CHECKS[2], Status.SKIPPED, reason="needs more")
ADVICE = Result(CHECKS[3], Status.ADVICE, ["it copies nothing"])


@pytest.mark.parametrize(
    ("result", "ok"),
    [(FAILED, False), (UNREACHED, False), (SKIPPED, True), (ADVICE, True)],
    ids=lambda each: str(each)[:9],
)
def test_only_what_is_required_makes_a_sheet_bad(result: Result, ok: bool) -> None:
    assert sheet(Result(ANSWERED, Status.PASSED), result).ok is ok


def test_junit_counts_what_failed_and_can_be_read() -> None:
    suite = ET.fromstring(as_junit(sheet(FAILED, UNREACHED, SKIPPED, ADVICE)))  # noqa: S314 - written by us
    assert [suite.get(name) for name in ("tests", "failures", "skipped")] == ["4", "2", "1"]
    failures = [case.find("failure") for case in suite]
    assert [each is not None for each in failures] == [True, True, False, False]


def test_the_sheet_for_programs_says_what_was_sent_and_what_came() -> None:
    (found,) = as_json(sheet(FAILED))["checks"]
    assert (found["status"], found["must"], found["why"]) == ("failed", ANSWERED.duty.must, ANSWERED.duty.why)
    assert found["exchanges"][0]["sent"]["id"] == f"{SAGA}/take/action"
    assert found["exchanges"][0]["answers"][0]["outcome"] == "rejected"
    json.dumps(found)


def test_what_is_shown_has_a_bound_and_no_control_characters() -> None:
    bad = replace(DONE, fields={"id": "x\x1b[2J" + "y" * 10_000})
    many = Result(ANSWERED, Status.PASSED, exchanges=[exchange(bad, said("rejected"))] * PAIRS)
    lines = conversation(many)
    assert all(line.isprintable() and len(line) < 1_000 for line in lines)
    assert lines[-1] == "… and 8 commands more"
    assert judged(exchange(bad))[0].isprintable()
    assert conversation(Result(replace(ANSWERED, steps=[then(DONE)]), Status.FAILED, exchanges=[exchange(DONE)]))[
        1:
    ] == ["← no answer"]


@pytest.mark.parametrize(
    ("stream", "group"),
    [
        ("saga.commands.till", "till"),
        ("saga.commands.till.{3}", "till"),
        ("shop.commands.till", "till"),
        ("orders-stream", "till"),
    ],
)
def test_the_group_is_called_like_the_participant(stream: str, group: str) -> None:
    given = Given(stream, None, "till.take", "{}", None, None, None)
    target = target_of(given, OfStep(None, None), "never", destructive=False)
    assert (target.stream, target.group) == (stream, group)
