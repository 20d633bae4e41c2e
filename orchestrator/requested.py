"""A saga that is asked for, over HTTP or by an event: its first data, and what makes two requests the same. Pure."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from orchestrator.work import Start
from sagas import Saga, check_storable


def requested(saga: Saga, saga_id: str, data: Mapping[str, Any], traceparent: str | None) -> Start:
    """The start of this saga with the data that was sent; raises `pydantic.ValidationError` or `NotStorable`."""
    check_storable(dict(data))
    return Start(saga, saga_id, saga.start(data), digest(saga, data), traceparent)


def digest(saga: Saga, data: Mapping[str, Any]) -> str:
    """The same for two requests that mean the same."""
    canonical = json.dumps([saga.name, saga.input_json(data)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
