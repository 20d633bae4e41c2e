"""The barrier as a table, and every history of one action with its compensation and its revocation."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from participants.barrier import (
    AlreadyTookEffect,
    Answer,
    Expired,
    GiveUp,
    InDoubt,
    NullCompensation,
    Refuse,
    Repeat,
    Row,
    Run,
    Settled,
    Undo,
    Verdict,
    announce,
    answer_of,
    decide,
    finish,
    settle,
)
from sagas.messages import CommandMessage, Outcome
from support.participants import NOW, action, compensation, revoke, skip_of_compensation

EXPIRY = timedelta(days=90)
DO, UNDO, REVOKE, SKIP = action(amount=3), compensation(), revoke(), skip_of_compensation()
DONE = Answer(Outcome.SUCCEEDED, {"amount": 3})
NO = Answer.no(Outcome.REJECTED, "empty")


def row_of(command: CommandMessage, answer: Answer) -> Row:
    return replace(announce(command, NOW, EXPIRY), outcome=answer.outcome, reply=answer.data)


SUCCEEDED, REJECTED = row_of(DO, DONE), row_of(DO, NO)
INTENT = announce(DO, NOW, EXPIRY)
UNDONE = replace(SUCCEEDED, undone_by=UNDO.id)
TOMBSTONE = replace(row_of(DO, Answer.no(Outcome.REJECTED, "compensated")), tombstone=True)
UNDO_DONE, UNDO_INTENT = row_of(UNDO, Answer(Outcome.SUCCEEDED, {})), announce(UNDO, NOW, EXPIRY)
REVOKE_DONE = row_of(REVOKE, Answer(Outcome.SUCCEEDED, {}))

TABLE: list[tuple[CommandMessage, Row | None, Row | None, Verdict]] = [
    # command, its own row, the undone action's row, verdict
    (DO, None, None, Run()),
    (DO, SUCCEEDED, None, Repeat(SUCCEEDED)),
    (DO, REJECTED, None, Repeat(REJECTED)),
    (DO, UNDONE, None, Repeat(UNDONE)),
    (DO, INTENT, None, Run(intent=INTENT)),
    (DO, TOMBSTONE, None, Refuse(TOMBSTONE)),
    (UNDO, None, None, NullCompensation(tombstone=True)),
    (UNDO, None, SUCCEEDED, Undo(SUCCEEDED)),
    (UNDO, None, REJECTED, NullCompensation(tombstone=False)),
    (UNDO, None, TOMBSTONE, NullCompensation(tombstone=False)),
    (UNDO, None, UNDONE, NullCompensation(tombstone=False)),
    (UNDO, None, INTENT, InDoubt(INTENT)),
    (UNDO, UNDO_DONE, UNDONE, Repeat(UNDO_DONE)),
    (UNDO, UNDO_DONE, None, Repeat(UNDO_DONE)),
    (UNDO, UNDO_INTENT, SUCCEEDED, Undo(SUCCEEDED, intent=UNDO_INTENT)),
    (REVOKE, None, None, NullCompensation(tombstone=True)),
    (REVOKE, None, SUCCEEDED, AlreadyTookEffect(SUCCEEDED)),
    (REVOKE, None, REJECTED, NullCompensation(tombstone=False)),
    (REVOKE, None, TOMBSTONE, NullCompensation(tombstone=False)),
    (REVOKE, None, UNDONE, NullCompensation(tombstone=False)),
    (REVOKE, None, INTENT, InDoubt(INTENT)),
    (REVOKE, REVOKE_DONE, TOMBSTONE, Repeat(REVOKE_DONE)),
    (SKIP, None, None, NullCompensation(tombstone=True)),
    (SKIP, None, UNDO_DONE, AlreadyTookEffect(UNDO_DONE)),
    (SKIP, None, UNDO_INTENT, GiveUp(UNDO_INTENT)),
]


@pytest.mark.parametrize(("command", "own", "undone", "verdict"), TABLE)
def test_every_row_has_one_verdict(
    command: CommandMessage, own: Row | None, undone: Row | None, verdict: Verdict
) -> None:
    assert decide(command, own, undone, NOW, EXPIRY) == verdict


@pytest.mark.parametrize(("command", "own", "undone", "verdict"), TABLE)
def test_the_attempt_changes_nothing(
    command: CommandMessage, own: Row | None, undone: Row | None, verdict: Verdict
) -> None:
    assert decide(replace(command, attempt=17), own, undone, NOW, EXPIRY) == verdict


@pytest.mark.parametrize("verdict", [verdict for *_, verdict in TABLE])
def test_verdicts_can_be_put_into_a_set(verdict: Verdict) -> None:
    assert verdict in {verdict}


@pytest.mark.parametrize("command", [DO, UNDO, REVOKE])
@pytest.mark.parametrize(("age", "expired"), [(timedelta(days=89), False), (timedelta(days=89, seconds=1), True)])
def test_a_command_older_than_the_expiry_less_a_day_is_not_done(
    command: CommandMessage, age: timedelta, *, expired: bool
) -> None:
    assert (decide(command, None, None, NOW + age, EXPIRY) == Expired()) is expired


def test_a_fresh_compensation_of_an_old_action_is_expired() -> None:
    late = NOW + timedelta(days=100)
    command = replace(UNDO, first_time=late, undoes_time=NOW)
    assert decide(command, None, None, late, EXPIRY) == Expired()


@pytest.mark.parametrize(("command", "own", "undone", "verdict"), TABLE)
def test_what_has_a_row_never_expires(
    command: CommandMessage, own: Row | None, undone: Row | None, verdict: Verdict
) -> None:
    if own is not None or undone is not None:
        assert decide(command, own, undone, NOW + timedelta(days=1_000), EXPIRY) == verdict


def test_a_null_compensation_leaves_its_tombstone_under_the_actions_own_id() -> None:
    settled = settle(UNDO, NullCompensation(tombstone=True), NOW, EXPIRY)
    assert [(row.id, row.tombstone) for row in settled.rows] == [(UNDO.id, False), (DO.id, True)]
    assert settled.answer.outcome is Outcome.SUCCEEDED
    assert answer_of(settled.rows[1]).data["code"] == "compensated"


def test_a_revoke_that_comes_too_late_brings_the_actions_reply() -> None:
    settled = settle(REVOKE, AlreadyTookEffect(SUCCEEDED), NOW, EXPIRY)
    assert settled.answer == Answer(Outcome.REJECTED, DONE.data)


def test_a_failed_command_leaves_no_row() -> None:
    failed = Answer.no(Outcome.FAILED, "handler-error")
    assert finish(DO, Run(), failed, NOW, EXPIRY) == Settled(failed)


def test_a_rejected_compensation_is_not_remembered() -> None:
    settled = finish(UNDO, Undo(SUCCEEDED), NO, NOW, EXPIRY)
    assert settled == Settled(Answer(Outcome.FAILED, NO.data))


def test_an_expired_command_changes_nothing() -> None:
    assert settle(DO, Expired(), NOW, EXPIRY).rows == ()


def test_a_second_compensation_under_another_id_undoes_nothing() -> None:
    world = World()
    for command in (DO, UNDO, compensation(number="/2")):
        world.execute(command, DONE)
    assert (world.done, world.undone) == (1, 1)


@dataclass
class World:
    """An inbox as MongoDB keeps it, and what the handlers have done."""

    rows: dict[str, Row] = field(default_factory=dict)
    done: int = 0
    undone: int = 0

    def execute(self, command: CommandMessage, answer: Answer) -> Answer:
        transaction = Open(self, command)
        committed = transaction.commit(answer)
        assert committed is not None
        return committed


@dataclass
class Open:
    """A transaction that has read, and not yet committed."""

    world: World
    command: CommandMessage

    def __post_init__(self) -> None:
        self.own = self.world.rows.get(self.command.id)
        self.action = self.world.rows.get(self.command.undoes) if self.command.undoes else None

    def commit(self, answer: Answer) -> Answer | None:
        """The answer; None where another one wrote the same rows since this one read."""
        verdict = decide(self.command, self.own, self.action, NOW, EXPIRY)
        if isinstance(verdict, Run | Undo):
            settled = finish(self.command, verdict, answer, NOW, EXPIRY)
        else:
            settled = settle(self.command, verdict, NOW, EXPIRY)
        known = {row.id: row for row in (self.own, self.action) if row is not None}
        if any(self.world.rows.get(row.id) != known.get(row.id) for row in settled.rows):
            return None  # A duplicate key, or a write conflict.
        self.world.rows.update((row.id, row) for row in settled.rows)
        if settled.answer.outcome is Outcome.SUCCEEDED:
            self.world.done += isinstance(verdict, Run)
            self.world.undone += isinstance(verdict, Undo)
        return settled.answer


COMMANDS = [DO, UNDO, REVOKE]
FAILED = Answer.no(Outcome.FAILED, "handler-error")


@given(st.lists(st.tuples(st.sampled_from(COMMANDS), st.sampled_from([DONE, NO, FAILED]))))
def test_in_every_history_a_command_gets_one_final_answer_and_has_at_most_one_effect(
    history: Sequence[tuple[CommandMessage, Answer]],
) -> None:
    world = World()
    final: dict[str, Answer] = {}
    for command, result in history:
        answer = world.execute(command, result)
        if answer.outcome is not Outcome.FAILED:
            assert final.setdefault(command.id, answer) == answer
        assert world.done <= 1
        assert world.undone <= world.done
        compensated = final.get(UNDO.id)
        if compensated is not None and compensated.outcome is Outcome.SUCCEEDED:
            assert world.done == world.undone
        revoked = final.get(REVOKE.id)
        if revoked is not None:
            assert revoked.outcome is Outcome.REJECTED or world.done == world.undone


@pytest.mark.parametrize("first", list(permutations(COMMANDS, 2)))
@pytest.mark.parametrize("result", [DONE, NO])
def test_two_that_run_at_once_meet_on_one_row(first: tuple[CommandMessage, CommandMessage], result: Answer) -> None:
    """Both have read before either commits; whoever loses starts over."""
    world = World()
    winner, loser = (Open(world, command) for command in first)
    assert winner.commit(result) is not None
    if loser.commit(result) is None:
        world.execute(loser.command, result)
    world.execute(UNDO, result)
    world.execute(DO, result)
    assert world.done == world.undone


def test_a_repeat_that_runs_at_once_with_the_first_has_no_second_effect() -> None:
    for command, seen in product(COMMANDS, [(), (DO,), (UNDO,), (REVOKE,)]):
        world = World()
        for earlier in seen:
            world.execute(earlier, DONE)
        one, other = Open(world, command), Open(world, command)
        answer = one.commit(DONE)
        assert answer is not None
        again = other.commit(DONE) or world.execute(command, DONE)
        assert again == answer
        assert world.done <= 1
        assert world.undone <= world.done
