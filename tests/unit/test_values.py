"""Values that are frozen for the type checker only, against what `dataclasses` makes of the same class."""

import dataclasses

from sagas.messages import Outcome, ReplyMessage
from sagas.values import dataclass, replace

REPLY = ReplyMessage("s1/step/action", Outcome.SUCCEEDED, {"a": 1}, attempt=2)


@dataclass(frozen=True, slots=True)
class Alone:
    """With one field."""

    field: int


def test_a_copy_differs_where_it_was_told_to_and_leaves_the_first_as_it_was() -> None:
    copy = replace(REPLY, attempt=3, type="t")
    assert (copy.attempt, copy.type, copy.command_id, copy.data) == (3, "t", REPLY.command_id, REPLY.data)
    assert (REPLY.attempt, REPLY.type) == (2, "")
    assert copy == dataclasses.replace(REPLY, attempt=3, type="t")
    assert replace(Alone(1), field=2) == Alone(2)
    assert replace(REPLY) == REPLY


def test_equal_values_have_equal_hashes_and_no_further_attributes() -> None:
    assert len({Alone(1), Alone(1), Alone(2)}) == 2
    assert not hasattr(REPLY, "__dict__")
