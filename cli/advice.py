"""What a person can do about a stuck saga: the commands, as they are typed."""

import json
from collections.abc import Iterator, Sequence

from client import Definition, NotFound, SagaInstance, StepStatus, SyncSagaClient

_DONE = (StepStatus.SUCCEEDED, StepStatus.SKIPPED)
_UNDOING = (StepStatus.COMPENSATING, StepStatus.COMPENSATED)


def next_commands(client: SyncSagaClient, saga: SagaInstance) -> list[str]:
    """The commands that are of use for it, the gentlest first."""
    try:
        definition = client.definition(saga.saga, version=saga.version)
    except NotFound:
        definition = None  # Another service of the same databases has it.
    return list(_commands(saga, definition))


def _commands(saga: SagaInstance, definition: Definition | None) -> Iterator[str]:
    undoing = any(step.status in _UNDOING for step in saga.steps)
    waiting = [step.name for step in saga.steps if step.status not in _DONE]
    data = "" if undoing or definition is None else _data(waiting[:1], definition)
    yield f"saga retry {saga.id} --reason WHY"
    yield f"saga skip {saga.id} --reason WHAT-WAS-DONE-BY-HAND{data}"
    if definition is not None and not undoing and not _pivot_passed(saga, definition):
        yield f"saga abort {saga.id} --reason WHY"
    yield f"saga show {saga.id} --history"


def _data(steps: Sequence[str], definition: Definition) -> str:
    """`--data` with the fields that the replies to these steps would have filled."""
    fields = [field for one in definition.steps if one.name in steps for field in one.merges or ()]
    return f" --data '{json.dumps(dict.fromkeys(fields, '…'), ensure_ascii=False)}'" if fields else ""


def _pivot_passed(saga: SagaInstance, definition: Definition) -> bool:
    return all(step.status in _DONE for step in saga.steps if step.name == definition.pivot)
