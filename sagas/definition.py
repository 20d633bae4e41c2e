"""A saga as one literal: `Saga`, `step`, `undo`, `pivot`, `Retry`.

A `Saga` that exists is complete and consistent: building it checks everything that can be known without running it.
It never changes afterwards, and it does no I/O.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError
from typing_extensions import TypeVar

from sagas.checks import check, pivot_index
from sagas.durations import Duration, seconds
from sagas.export import mermaid, to_json
from sagas.nodes import Node, StepNode, pivot, step, undo
from sagas.retry import Retry
from sagas.schemas import fingerprint
from sagas.starting_event import Event
from sagas.steps import Step, Undo, check_data, compiled, dump, parse
from sagas.storable import check_storable

__all__ = ["Retry", "Saga", "Step", "Undo", "pivot", "step", "undo"]


# With defaults a plain `Saga` stands for any saga, and only who cares for the types has to name them.
InputT = TypeVar("InputT", bound=BaseModel, default=Any)
DataT = TypeVar("DataT", bound=BaseModel, default=Any)


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Saga(Generic[InputT, DataT]):
    """A business transaction across participants: its steps, and what undoes them.

    `input` is what a client may send; `data` has those fields, and the ones that replies fill (default `None`).
    `starts_on` is an event of another service that starts one; a saga under way does not depend on it.
    A `Saga[PlaceOrder, Order]` knows both types, so that a client can be typed by it.
    Raises `InvalidDefinition`, which lists every problem with saga, step and field.
    """

    name: str
    version: int
    input: type[InputT]
    data: type[DataT]
    nodes: tuple[StepNode[Any], ...]  #: the steps as they were written, without the pivot
    steps: tuple[Step, ...]
    positions: Mapping[str, int]  #: of the steps, by name
    pivot: int  #: the step whose success passes the point of no return; -1 where it is passed from the start
    starts_on: Event | None
    timeout_s: float | None  #: the saga's own deadline, from its start to the pivot
    fingerprint: str  #: differs when a saga in flight could not go on with this definition

    def __init__(
        self,
        name: str,
        *,
        version: int,
        input: type[InputT],
        data: type[DataT],
        steps: Sequence[Node[DataT]],
        timeout: Duration | None = None,
        starts_on: Event | None = None,
    ) -> None:
        check(name, version, input, data, steps, timeout, starts_on)
        nodes = tuple(node for node in steps if isinstance(node, StepNode))
        made = tuple(compiled(name, data, node) for node in nodes)
        pivot = pivot_index(steps)
        # Past the frozen dataclass's guard; nothing else ever writes.
        vars(self).update(name=name, version=version, input=input, data=data, nodes=nodes, steps=made, pivot=pivot)
        vars(self).update(
            positions={one.name: position for position, one in enumerate(made)},
            starts_on=starts_on,
            timeout_s=None if timeout is None else seconds(timeout),
            fingerprint=fingerprint(name, input, data, made, pivot),
        )

    def __repr__(self) -> str:
        return f"Saga({self.name!r}, version={self.version})"

    def index(self, step_name: str) -> int:
        """The position of the step; `KeyError` if there is none of that name."""
        return self.positions[step_name]

    def asked(self, input_json: Mapping[str, Any]) -> InputT:
        """What a client sent, checked; raises `pydantic.ValidationError` or `NotStorable` (both `ValueError`)."""
        try:
            return parse(self.input, input_json)
        except PydanticSerializationError:
            check_storable(dict(input_json))  # Says where it is, what JSON can't hold.
            raise

    def start(self, asked: InputT | Mapping[str, Any]) -> dict[str, Any]:
        """The data of a new saga, as JSON; raises as `asked` does."""
        sent = self.asked(asked) if isinstance(asked, Mapping) else asked
        data = dump(parse(self.data, dump(sent)))
        check_data(data)
        return data

    def input_json(self, asked: InputT | Mapping[str, Any]) -> dict[str, Any]:
        """The fields that the client sent, in one spelling: two requests mean the same if these are equal."""
        sent = self.asked(asked) if isinstance(asked, Mapping) else asked
        fields: dict[str, Any] = sent.model_dump(mode="json", by_alias=False, exclude_unset=True)
        check_storable(fields)
        return fields

    def to_json(self) -> dict[str, Any]:
        """The definition as JSON, for programs; its shape is documented at `sagas.export.to_json`."""
        return to_json(self)

    def mermaid(self) -> str:
        """The definition as a Mermaid flowchart, for people."""
        return mermaid(self)
