"""The language of `chaos.given`, with what our own sagas need to be told every time."""

from collections.abc import Mapping
from typing import Any, Self

from chaos.given import LONG_AGO, START
from chaos.given import Story as AnyStory
from sagas import Saga
from sagas.messages import Json

__all__ = ["LONG_AGO", "START", "Story", "given"]

ORDER: Json = {"customer_id": "alice", "items": [{"product_id": "boots", "quantity": 1}]}
REPLIES: Mapping[str, Json] = {  #: by the command's type; what a participant says unless the story says otherwise
    "inventory.reserve-stock": {"amount": 1999},
    "orders.confirm-order": {"order_id": "o-1"},
    **{f"p-{name}.do": {name: 1} for name in ("one", "two", "three", "four", "five")},
}


class Story(AnyStory):
    """A story in which an order is started with the usual fields."""

    def started(self, **fields: Any) -> Self:
        usual = ORDER if self.saga.name == "order" else {}
        return super().started(**{**usual, **fields})


def given(saga: Saga[Any, Any]) -> Story:
    """The story of one saga."""
    return Story(saga, REPLIES)
