"""A saga that is asked for, over HTTP or by an event: its first data, and what makes two requests the same. Pure."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from orchestrator.work import Start
from sagas import Saga, check_storable

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def requested(saga: Saga, saga_id: str, data: Mapping[str, Any], traceparent: str | None) -> Start:
    """The start of this saga with the data that was sent; raises `pydantic.ValidationError` or `NotStorable`."""
    check_storable(dict(data))
    asked = saga.asked(data)
    return Start(saga, saga_id, saga.start(asked), _digest(saga, asked), traceparent)


def _digest(saga: Saga, asked: BaseModel) -> str:
    """The same for two requests that mean the same."""
    return hashlib.sha256(_CANONICAL.encode([saga.name, saga.input_json(asked)]).encode()).hexdigest()
