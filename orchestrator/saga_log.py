"""What happens to sagas, one line per fact: an `Observer`, told after the save. Names, ids and codes, never words."""

from collections.abc import Sequence

import structlog

from orchestrator.core.state import Decision, Status, Transition
from orchestrator.identity import names
from orchestrator.observer import Applied, Unobserved

log = structlog.get_logger(__name__)


class SagaLog(Unobserved):
    """Writes the lines."""

    def accepted(self, begun: Sequence[Decision], repeated: int) -> None:
        for decision in begun:
            state = decision.state
            log.debug("saga-started", **names(state), saga=state.saga, version=state.version)

    def applied(self, done: Sequence[Applied], *, conflicts: int, unknown: int) -> None:
        for each in done:
            if each.decision.transition is not None:
                _changed(each, each.decision.transition)


def _changed(each: Applied, transition: Transition) -> None:
    before, state = each.before, each.decision.state
    if "step-failed" in transition.events:
        log.info("step-failed", **_about(each, transition), attempt=transition.attempt, code=transition.code)
    if state.status is not before.status:
        told = {"saga": state.saga, "status": state.status.value, "revision": state.revision}
        if state.status is Status.STUCK:
            log.warning("saga-stuck", **_about(each, transition), **told, code=transition.code)
        else:
            log.info("saga-status", **names(state), **told)
    for pending in state.pending:
        if pending.needs_attention:
            about = names(state, pending.command_id)
            log.warning("step-needs-attention", **about, step=pending.step, attempt=pending.attempt)


def _about(each: Applied, transition: Transition) -> dict[str, str]:
    """The ids, with those of the command that this was about."""
    kinds = (transition.step, transition.kind)
    command = next((one.command_id for one in each.before.pending if (one.step, one.kind) == kinds), None)
    return names(each.decision.state, command) | ({"step": transition.step} if transition.step else {})
