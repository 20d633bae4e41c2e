"""What a person may give in place of a step's reply, after doing the step by hand."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from sagas.definition import Saga
from sagas.errors import CannotMerge, explain
from sagas.fields import fits
from sagas.steps import dump, parse
from sagas.storable import check_storable


def reply_by_hand(saga: Saga, index: int, data: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields given in place of the reply of the step at `index`, as the saga with this data stores them.

    Raises `NotStorable`, or `CannotMerge` where a field is unknown, does not fit, or is needed later and missing.
    """
    check_storable(dict(given))
    if strangers := sorted(given.keys() - saga.data.model_fields.keys()):
        raise CannotMerge(f"{saga.data.__name__} has no field {', '.join(strangers)}")
    try:
        merged = dump(parse(saga.data, {**data, **given}))
    except ValidationError as error:
        raise CannotMerge(explain(error)) from error
    if missing := _still_needed(saga, index, merged):
        raise CannotMerge(f"give {', '.join(missing)}, which later steps take from this step's reply")
    return {name: merged[name] for name in given}


def _still_needed(saga: Saga, index: int, data: Mapping[str, Any]) -> list[str]:
    """The fields that the step's reply would have filled, and that later commands take by name."""
    step, later = saga.steps[index], saga.steps[index + 1 :]
    builders = [builder for one in later for builder in (one.builder, one.undo and one.undo.builder) if builder]
    needed = [item for builder in builders if not builder.function for item in builder.command.model_fields.items()]
    return sorted(
        {
            name
            for name, field in needed
            if name in step.endpoint.reply.model_fields and data.get(name) is None and not fits(None, field.annotation)
        }
    )
