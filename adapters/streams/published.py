"""Events as other services publish them: flat fields `type`, `data` (JSON) and `timestamp`, maybe `traceparent`.

The type is looked at by itself: what else is in an event of another type is nobody's business here. `timestamp` is
advisory and never read: an event with a clock that is wrong is still an event.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.streams.envelope import json_data, required
from adapters.tracing.context import parse


@dataclass(frozen=True, slots=True)
class Published:
    """What an event says."""

    data: dict[str, Any]
    traceparent: str | None


def type_of(fields: Mapping[str, str]) -> str:
    """Which kind of event it is; raises `Undecodable` where it does not say."""
    return required(fields, "type")


def decode_published(fields: Mapping[str, str]) -> Published:
    """The event; raises `Undecodable`."""
    traceparent = fields.get("traceparent")
    return Published(json_data(fields), traceparent if parse(traceparent) else None)
