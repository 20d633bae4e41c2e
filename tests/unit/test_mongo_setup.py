"""What a MongoDB says of itself, and whether a replica set is still to be made."""

from collections.abc import Mapping

import pytest

from adapters.mongo_setup import State, state_of


@pytest.mark.parametrize(
    ("hello", "state"),
    [
        ({"isWritablePrimary": False, "isreplicaset": True}, State.ALONE),
        ({"isWritablePrimary": True}, State.ALONE),
        ({"isWritablePrimary": True, "msg": "isdbgrid"}, State.READY),
        ({"isWritablePrimary": True, "setName": "rs0", "primary": "a:1"}, State.READY),
        ({"isWritablePrimary": False, "setName": "rs0", "primary": "b:1"}, State.READY),
        ({"isWritablePrimary": False, "setName": "rs0"}, State.WAITING),
    ],
)
def test_a_set_is_made_only_of_a_server_that_is_in_none_and_is_no_mongos(
    hello: Mapping[str, object], state: State
) -> None:
    assert state_of(hello) is state
