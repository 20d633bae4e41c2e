"""How a saga is named in a log line, so that everything about it can be found."""

from adapters.tracing.context import trace_id_of
from orchestrator.core.state import Message, Replied, SagaState


def names(state: SagaState, command_id: str | None = None) -> dict[str, str]:
    """Its id, its trace's id where there is one, and the command's."""
    found = {"saga_id": state.id}
    if command_id is not None:
        found["command_id"] = command_id
    if (trace_id := trace_id_of(state.traceparent)) is not None:
        found["trace_id"] = trace_id
    return found


def command_of(message: Message) -> str | None:
    """The command that a message answers."""
    return message.reply.command_id if isinstance(message, Replied) else None
