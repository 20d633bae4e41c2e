"""From an answer to the stream entry that carries it. Pure."""

from datetime import datetime

from adapters.bus import Entry
from adapters.streams.envelope import encode_reply
from participants.barrier import Answer
from sagas.messages import CommandMessage, ReplyMessage


def entries(participant: str, command: CommandMessage, answer: Answer, now: datetime) -> tuple[Entry, ...]:
    """The reply on the command's `reply_to`; nothing where nobody waits for one."""
    if not command.reply_to:
        return ()
    reply = ReplyMessage(
        command_id=command.id,
        outcome=answer.outcome,
        data=answer.data,
        attempt=command.attempt,
        type=f"{command.type}.{answer.outcome.value}",
        source=f"/participants/{participant}",
        time=now,
        traceparent=command.traceparent,
    )
    return (Entry(command.reply_to, encode_reply(reply)),)
