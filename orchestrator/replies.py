"""The reply stream's handler: decode a batch, apply it, and say what becomes of each entry."""

from collections.abc import Sequence

import structlog

from adapters.bus import Ack, Dead, Delivery, Verdict
from adapters.streams.envelope import Undecodable, decode_reply
from adapters.streams.verdicts import names, without_words
from orchestrator.core.state import Replied
from orchestrator.engine import Engine
from orchestrator.work import Input

log = structlog.get_logger(__name__)


class ReplyHandler:
    """Feeds replies to the engine. `Unavailable` passes: the bus keeps the batch pending and backs off."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        decoded = [_decode(delivery) for delivery in deliveries]
        inputs = [given for given in decoded if isinstance(given, Input)]
        await self._engine.apply(inputs)
        return [Ack() if isinstance(given, Input) else given for given in decoded]


def _decode(delivery: Delivery) -> Input | Dead:
    try:
        reply = decode_reply(delivery.fields)
    except Undecodable as error:
        log.warning("reply-undecodable", **names(delivery), reason=without_words(str(error)))
        return Dead(str(error))
    return Input(reply.saga_id, Replied(reply), redelivered=delivery.redelivered)
