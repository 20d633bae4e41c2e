"""The checks of the three duties: repeats, compensations, revokes. Read it as the specification of a participant.

`action`, `compensation` and `revoke` below are of one step of one saga, a fresh one in each check. Each `then` waits
for the answers of the one before.
"""

from chaos.conformance import duties
from chaos.conformance.language import Age, AtOnce, Check, Data, Effect, Expect, Sending
from sagas.messages import Kind

COPIES = 20  #: of one command at once
PAIRS = 20  #: of an action and its compensation at once


def action(expect: Expect, data: Data = Data.GOOD, **given: object) -> Sending:
    """The action."""
    return Sending(kind=Kind.ACTION, expect=expect, data=data, **given)  # type: ignore[arg-type]


def compensation(expect: Expect = Expect.SUCCEEDED, **given: object) -> Sending:
    """What undoes it."""
    return Sending(kind=Kind.COMPENSATION, expect=expect, **given)  # type: ignore[arg-type]


def revoke(expect: Expect, **given: object) -> Sending:
    """The question whether it took effect."""
    return Sending(kind=Kind.REVOKE, expect=expect, **given)  # type: ignore[arg-type]


def then(*sendings: Sending) -> AtOnce:
    """All of these at once."""
    return AtOnce(sendings)


DONE = action(Expect.SUCCEEDED)
REFUSED = action(Expect.REJECTED)  #: after it was compensated or revoked
NO = action(Expect.REJECTED, Data.REJECTED)
UNDO = compensation()
REVOKED = revoke(Expect.SUCCEEDED)
TOO_LATE = revoke(Expect.THE_REPLY)

ANSWERED = Check(
    name="answered",
    says="A command is answered.",
    duty=duties.ANSWER,
    steps=[then(DONE)],
    effect=Effect.ONCE,
    acknowledged=True,
)

_REPEATS = (
    Check(
        name="repeat",
        says="The same command comes three times, one after the other.",
        duty=duties.REPEAT,
        steps=[then(DONE), then(DONE), then(DONE)],
        effect=Effect.ONCE,
    ),
    Check(
        name="repeat-at-once",
        says=f"The same command comes {COPIES} times at once.",
        duty=duties.REPEAT,
        steps=[then(action(Expect.SUCCEEDED, copies=COPIES)), then(DONE)],
        effect=Effect.ONCE,
    ),
    Check(
        name="rising-attempts",
        says="The same command comes as attempts 1, 2, 3 and 7.",
        duty=duties.ATTEMPT,
        steps=[then(DONE.again(attempt)) for attempt in (1, 2, 3, 7)],
        effect=Effect.ONCE,
    ),
    Check(
        name="attempts-at-once",
        says="Attempts 1 to 5 of the same command come at once.",
        duty=duties.ATTEMPT,
        steps=[then(*(DONE.again(attempt) for attempt in range(1, 6)))],
        effect=Effect.ONCE,
    ),
    Check(
        name="repeat-late",
        says="A command that was done comes again, first sent so long ago that its row could be gone.",
        duty=duties.REPEAT,
        steps=[then(DONE), then(DONE.again(2, age=Age.EXPIRED))],
        effect=Effect.ONCE,
    ),
    Check(
        name="rejected-repeat",
        says="A command that is rejected comes again, as the same attempt and as the next.",
        duty=duties.REJECTED,
        steps=[then(NO), then(NO), then(NO.again(2))],
        effect=Effect.NONE,
    ),
    Check(
        name="rejected-at-once",
        says=f"A command that is rejected comes {COPIES} times at once.",
        duty=duties.REJECTED,
        steps=[then(action(Expect.REJECTED, Data.REJECTED, copies=COPIES)), then(NO)],
        effect=Effect.NONE,
    ),
)

_COMPENSATIONS = (
    Check(
        name="compensation",
        says="The action is done, then undone; the compensation comes three times, twice as the same attempt.",
        duty=duties.COMPENSATE,
        steps=[then(DONE), then(UNDO), then(UNDO), then(UNDO.again(2))],
        effect=Effect.UNDONE,
    ),
    Check(
        name="compensation-at-once",
        says=f"The action is done, then its compensation comes {COPIES} times at once.",
        duty=duties.COMPENSATE,
        steps=[then(DONE), then(compensation(copies=COPIES)), then(UNDO)],
        effect=Effect.UNDONE,
    ),
    Check(
        name="compensation-of-a-rejected-action",
        says="The action is rejected, and compensated all the same.",
        duty=duties.NULL_COMPENSATION,
        steps=[then(NO), then(UNDO), then(UNDO.again(2)), then(NO.again(2))],
        effect=Effect.NONE,
    ),
    Check(
        name="null-compensation",
        says="The compensation comes, three times; its action never does.",
        duty=duties.NULL_COMPENSATION,
        steps=[then(UNDO), then(UNDO), then(UNDO.again(2))],
        effect=Effect.NONE,
    ),
    Check(
        name="late-action",
        says="The compensation comes first, its action afterwards, and again.",
        duty=duties.NO_DANGLING_ACTION,
        steps=[then(UNDO), then(REFUSED), then(REFUSED)],
        effect=Effect.NONE,
    ),
    Check(
        name="late-attempts",
        says="The compensation comes first, its action afterwards, as attempts 2 and 3.",
        duty=duties.NO_DANGLING_ACTION,
        steps=[then(UNDO), then(REFUSED.again(2)), then(REFUSED.again(3)), then(UNDO.again(2))],
        effect=Effect.NONE,
    ),
    Check(
        name="late-action-in-one-batch",
        says="Compensation and action come at once, in this order; the action once more afterwards.",
        duty=duties.NO_DANGLING_ACTION,
        steps=[then(UNDO, action(Expect.EITHER)), then(action(Expect.EITHER, attempt=2))],
        effect=Effect.NOTHING_LEFT,
    ),
    Check(
        name="action-after-its-undoing",
        says="The action is done and undone; then the action comes again.",
        duty=duties.REPEAT,
        steps=[then(DONE), then(UNDO), then(action(Expect.EITHER, attempt=2))],
        effect=Effect.UNDONE,
    ),
    Check(
        name="race",
        says=f"{PAIRS} actions and their compensations come at once, half of them the compensation first.",
        duty=duties.RACE,
        steps=[
            then(
                *(
                    one
                    for number in range(PAIRS)
                    for one in (
                        action(Expect.EITHER, saga=f"a{number}"),
                        compensation(saga=f"a{number}"),
                    )[:: 1 if number % 2 else -1]
                )
            ),
            then(*(action(Expect.EITHER, saga=f"a{number}", attempt=2) for number in range(PAIRS))),
        ],
        effect=Effect.NOTHING_LEFT,
    ),
)

_REVOKES = (
    Check(
        name="revoke-of-nothing",
        says="A revoke comes, and comes again; the action afterwards.",
        duty=duties.REVOKE,
        steps=[then(REVOKED), then(REVOKED.again(2)), then(REFUSED), then(REFUSED.again(2))],
        effect=Effect.NONE,
    ),
    Check(
        name="revoke-of-a-rejected-action",
        says="The action is rejected, then revoked; then it comes again.",
        duty=duties.REVOKE,
        steps=[then(NO), then(REVOKED), then(REVOKED.again(2)), then(NO.again(2))],
        effect=Effect.NONE,
    ),
    Check(
        name="revoke-of-a-done-action",
        says="The action is done, then revoked, three times; then the action comes again.",
        duty=duties.REVOKE,
        steps=[then(DONE), then(TOO_LATE), then(TOO_LATE), then(TOO_LATE.again(2)), then(DONE.again(2))],
        effect=Effect.ONCE,
    ),
    Check(
        name="compensation-after-a-late-revoke",
        says="The action is done; a revoke comes too late; then the action is compensated.",
        duty=duties.COMPENSATE,
        steps=[then(DONE), then(TOO_LATE), then(UNDO)],
        effect=Effect.UNDONE,
    ),
)

_EXPIRED = (
    Check(
        name="expired-action",
        says="An unknown action comes that was first sent so long ago that its row could be gone.",
        duty=duties.EXPIRED,
        steps=[then(action(Expect.EXPIRED, age=Age.EXPIRED))],
        effect=Effect.NONE,
    ),
    Check(
        name="old-action",
        says="An unknown action comes that was first sent long ago, but a day and a half before its row could be gone.",
        duty=duties.EXPIRED,
        steps=[then(action(Expect.SUCCEEDED, age=Age.KNOWN))],
        effect=Effect.ONCE,
    ),
    Check(
        name="expired-then-fresh",
        says="That was answered `failed`, so nothing of it is stored: sent as a new command, it is done.",
        duty=duties.EXPIRED,
        steps=[then(action(Expect.EXPIRED, age=Age.EXPIRED)), then(DONE.again(2))],
        effect=Effect.ONCE,
    ),
    Check(
        name="expired-compensation",
        says="A compensation comes of an unknown action that was first sent so long ago.",
        duty=duties.EXPIRED,
        steps=[then(compensation(Expect.EXPIRED, action_age=Age.EXPIRED))],
        effect=Effect.NONE,
    ),
    Check(
        name="expired-revoke",
        says="A revoke comes of an unknown action that was first sent so long ago.",
        duty=duties.EXPIRED,
        steps=[then(revoke(Expect.EXPIRED, action_age=Age.EXPIRED))],
        effect=Effect.NONE,
    ),
)

CHECKS_OF_DUTIES = (ANSWERED, *_REPEATS, *_COMPENSATIONS, *_REVOKES, *_EXPIRED)
