"""The errors of the saga language, by who must react.

`InvalidDefinition` is for the author, when a definition is built or loaded; `StepFault` is for the engine, while a
saga runs. Their messages name saga, step and field, and never quote a payload's values.
"""

from collections.abc import Iterable

from pydantic import ValidationError

MAX_EXPLAINED = 5


class InvalidDefinition(ValueError):
    """A saga, step or endpoint that can't work, found when it is built. Lists every problem, one a line."""

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class StepFault(ValueError):
    """A step of a running saga can't go on as defined: a function raised, or a value doesn't fit its model."""


class CannotBuild(StepFault):
    """A command can't be made from the saga's data."""


class CannotMerge(StepFault):
    """A reply can't be merged into the saga's data."""


def explain(error: ValidationError) -> str:
    """What does not fit, field by field, without the values: `Order.amount: Input should be a valid integer`."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    said = [f"{'.'.join([error.title, *map(str, one['loc'])])}: {one['msg']}" for one in found[:MAX_EXPLAINED]]
    return "; ".join([*said, f"and {len(found) - len(said)} more"] if len(found) > len(said) else said)
