"""The checker sees each kind of mistake: the evidence of a good run, tampered with."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from chaos.checker import INVARIANTS, check
from chaos.evidence import Evidence
from chaos.sim.run import run
from chaos.sim.world import Setup
from sagas.order import order

Tampering = Callable[[Any], Any]


@cache
def _good(rejecting: str = "") -> Evidence:
    return run(Setup(saga=order, sagas=2, rejecting=frozenset({rejecting})), seed=0).evidence


def completed() -> Any:
    """Two orders that went well; a copy that may be tampered with."""
    return deepcopy(_good())


def compensated() -> Any:
    """Two orders whose payment was declined."""
    return deepcopy(_good("charge-payment"))


def without_a_saga(evidence: Any) -> Any:
    return replace(evidence, sagas=evidence.sagas[1:], ledger=[])


def with_a_saga_too_many(evidence: Any) -> Any:
    return replace(evidence, requests=evidence.requests[1:])


def with_another_answer(evidence: Any) -> Any:
    first, *others = evidence.requests
    return replace(evidence, requests=[replace(first, answers=(*first.answers, "another")), *others])


def still_running(evidence: Any) -> Any:
    evidence.sagas[0]["status"] = evidence.sagas[0]["history"][-1]["status"] = "running"
    return evidence


def ended_with_something_pending(evidence: Any) -> Any:
    evidence.sagas[0]["pending"] = [{"command_id": "x"}]
    return evidence


def a_row_twice(evidence: Any) -> Any:
    return replace(evidence, ledger=[*evidence.ledger, evidence.ledger[-1]])


def without_a_ledger(evidence: Any) -> Any:
    return replace(evidence, ledger=[row for row in evidence.ledger if row["participant"] != "orders"])


def a_row_less(evidence: Any) -> Any:
    return replace(evidence, ledger=evidence.ledger[:-1])


def the_last_effect_undone(evidence: Any) -> Any:
    undone = {**evidence.ledger[-1], "kind": "compensation", "amount": 1}
    return replace(evidence, ledger=[*evidence.ledger, undone])


def backwards(evidence: Any) -> Any:
    return replace(evidence, ledger=evidence.ledger[::-1])


def an_effect_of_nobody(evidence: Any) -> Any:
    return replace(evidence, ledger=[*evidence.ledger, {**evidence.ledger[0], "saga_id": "nobody"}])


def a_rejected_effect(evidence: Any) -> Any:
    charged = {**evidence.ledger[0], "step": "charge-payment", "key": "x"}
    return replace(evidence, ledger=[*evidence.ledger, charged])


def one_too_few(evidence: Any) -> Any:
    key = next(iter(evidence.balances))
    return replace(evidence, balances={**evidence.balances, key: evidence.balances[key] - 1})


def a_gap(evidence: Any) -> Any:
    del evidence.sagas[0]["history"][1]
    return evidence


def back_from_an_end(evidence: Any) -> Any:
    evidence.sagas[0]["history"][1]["status"] = "completed"
    return evidence


def a_flood(evidence: Any) -> Any:
    return replace(evidence, messages={"saga-0": 101})


def once_stuck(evidence: Any) -> Any:
    evidence.sagas[0]["history"][0]["status"] = "stuck"
    return evidence


def something_logged(evidence: Any) -> Any:
    return replace(evidence, bugs=["sweep-failed: KeyError"])


TAMPERED = [
    ("accepted sagas exist", completed, without_a_saga),
    ("accepted sagas exist", completed, with_a_saga_too_many),
    ("accepted sagas exist", completed, with_another_answer),
    ("every saga ends", completed, still_running),
    ("every saga ends", completed, ended_with_something_pending),
    ("effects happen once", completed, a_row_twice),
    ("effects can be seen", completed, without_a_ledger),
    ("completed means done", completed, a_row_less),
    ("completed means done", completed, the_last_effect_undone),
    ("compensated means undone", compensated, a_row_less),
    ("only effects are undone, newest first", compensated, backwards),
    ("ledgers and sagas agree", completed, an_effect_of_nobody),
    ("ledgers and sagas agree", compensated, a_rejected_effect),
    ("balances are sums", completed, one_too_few),
    ("histories are whole", completed, a_gap),
    ("histories are whole", completed, back_from_an_end),
    ("sagas cost little", completed, a_flood),
    ("few sagas get stuck", completed, once_stuck),
    ("nothing unexpected was logged", completed, something_logged),
]


@pytest.mark.parametrize(("invariant", "good", "tampering"), TAMPERED, ids=[each[2].__name__ for each in TAMPERED])
def test_what_was_tampered_with_is_found(invariant: str, good: Callable[[], Any], tampering: Tampering) -> None:
    assert not check(good())

    assert invariant in {violation.invariant for violation in check(tampering(good()))}


def test_a_participant_without_a_ledger_is_named_once_with_what_it_is_to_do() -> None:
    told = [one.detail for one in check(without_a_ledger(completed())) if one.invariant != "balances are sums"]

    assert told == ["orders has no rows in its ledger, so nobody can tell what it did: it must write one in confirm"]


def test_every_invariant_has_been_seen_to_be_violated() -> None:
    assert {name for name, _, _ in TAMPERED} == INVARIANTS.keys()
