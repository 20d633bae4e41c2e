"""From a request to a saga to start: which saga, which id, and what makes two requests the same. Does no I/O."""

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from orchestrator.api.body import RESERVED_IDS, StartRequest, validated
from orchestrator.api.caller import NOBODY
from orchestrator.api.headers import key_id
from orchestrator.api.problems import Fault, Kind, Problem, fault_of, faults_of, invalid
from orchestrator.core.state import SagaState
from orchestrator.requested import requested
from orchestrator.work import Start, Started
from sagas import Definitions, Saga
from sagas.definitions import UnknownSaga
from sagas.storable import NotStorable


class StartFactory:
    """Makes `Start`s of requests."""

    def __init__(self, definitions: Definitions, new_id: Callable[[], str]) -> None:
        self._definitions = definitions
        self._new_id = new_id

    def make(
        self, body: Any, *, key: str | None, traceparent: str | None, caller: str = NOBODY, under: str = ""
    ) -> Start:
        """The start that a body asks for; raises `Problem`. `under` is its place in a larger body."""
        asked = validated(StartRequest, body, under)
        saga_id = self._id(asked, None if key is None else key_id(caller, key), under)
        saga = self._saga(asked.saga, under)
        try:
            return requested(saga, saga_id, asked.data, traceparent)
        except NotStorable as error:
            raise invalid("body", [fault_of(error, f"{under}/data")]) from None
        except ValidationError as error:
            raise invalid("body", faults_of(error, f"{under}/data")) from None

    def _saga(self, name: str, under: str) -> Saga:
        try:
            return self._definitions.latest(name)
        except UnknownSaga as error:
            said = "no saga of this name is known here"
            known = {"known": list(self._definitions.names)}
            raise Problem(
                Kind.UNKNOWN_SAGA, f"{said[0].upper()}{said[1:]}.", faults=[Fault(f"{under}/saga", said)], extra=known
            ) from error

    def _id(self, asked: StartRequest, by_key: str | None, under: str) -> str:
        if by_key is not None and asked.id is not None:
            said = "an id and an Idempotency-Key say the same thing twice: send one of them"
            raise invalid("body", [Fault(f"{under}/id", said)])
        if asked.id in RESERVED_IDS:
            raise invalid("body", [Fault(f"{under}/id", "this word is reserved")])
        return asked.id or by_key or self._new_id()


def accepted(started: Started, *, by_key: bool) -> SagaState:
    """The saga that was started, now or by the same request before; raises `Problem` where another has its id."""
    if not started.taken:
        return started.state
    if by_key:
        raise Problem(
            Kind.KEY_REUSED, "The key belongs to a request with other fields. Send a new key with a new request."
        )
    said = "A saga that was started with other fields has this id. Choose another id, or look at that saga."
    raise Problem(Kind.ID_TAKEN, said)
